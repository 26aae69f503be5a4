package main

import (
	"embed"
	"path"
	"time"

	"github.com/spf13/cobra"

	"gatepost/parser/source"
)

// demoLogs are the logs and the configuration of a recorded incident: a scheduled action holds
// row locks for 20 seconds, and meanwhile the kernel kills a worker for its memory.
//
//go:embed demo
var demoLogs embed.FS

// demoRecorded is when the last line of them was written.
var demoRecorded = time.Date(2026, time.November, 22, 14, 19, 40, 0, time.UTC)

func newDemo(e *env) *cobra.Command {
	var out writingFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "report on a recorded incident that is part of the program",
		Long: `Analyze a recorded incident that is part of the program, to see what a report looks like.

The logs are those of nginx, Odoo, PostgreSQL and the kernel, half a minute of them.`,
		Example: `  gatepost demo
  gatepost demo --format ndjson`,
		GroupID: groupReading,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w, err := out.resolve(e)
			if err != nil {
				return err
			}
			r, err := (&readingFlags{}).resolve(e)
			if err != nil {
				return err
			}
			files, err := demoFiles()
			if err != nil {
				return err
			}
			a, err := e.analyzeFiles(cmd.Context(), r, files)
			return a.finish(cmd.Context(), err, func(a *analysis) error { return w.write(e, a.model, "") })
		},
	}
	e.redaction.add(cmd)
	out.add(cmd)
	return cmd
}

func demoFiles() ([]*source.File, error) {
	entries, err := demoLogs.ReadDir("demo")
	if err != nil {
		return nil, err
	}
	var files []*source.File
	for _, entry := range entries {
		name := path.Join("demo", entry.Name())
		data, err := demoLogs.ReadFile(name)
		if err != nil {
			return nil, err
		}
		files = append(files, source.InMemory(name, data, demoRecorded))
	}
	return files, nil
}
