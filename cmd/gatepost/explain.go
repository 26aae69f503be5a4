package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"gatepost"
	"gatepost/reports"
)

func newExplain(e *env) *cobra.Command {
	var in readingFlags
	var l lookFlags
	var output string
	cmd := &cobra.Command{
		Use:   "explain ID [PATH...]",
		Short: "the whole argument for one failure",
		Long: `Show why one failing request has the cause it has: the evidence for and against it with
the raw lines, the rivals and why they lost, and what would make it surer.

ID is that of the failure in a report; its first characters are enough when no other
failure begins like it. With PATH the logs are read again; with --db alone nothing but the
store is read, and the logs may be gone.`,
		Example: `  gatepost explain f-3b9c0d11aa52 logs/
  gatepost explain 3b9c --db night.db`,
		GroupID: groupReading,
		Args:    atLeast(1, "the ID of a failure"),
		RunE: func(cmd *cobra.Command, args []string) error {
			look, err := l.resolve(e)
			if err != nil {
				return err
			}
			id, paths := args[0], args[1:]
			do := func(a *analysis) error {
				f, err := findFailure(a.model, id)
				if err != nil {
					return err
				}
				return look.write(e, output, func(out io.Writer, o reports.Options) error {
					return reports.Explain(out, a.model, f, o)
				})
			}
			if in.db != "" && len(paths) == 0 {
				return e.stored(cmd.Context(), in.db, do)
			}
			return e.reads(cmd.Context(), &in, paths, do)
		},
	}
	in.add(cmd)
	e.redaction.add(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "", "write to `FILE`, whole or not at all")
	l.add(cmd)
	return cmd
}

// findFailure returns the failure whose ID begins with id.
func findFailure(m *gatepost.Model, id string) (*gatepost.Failure, error) {
	const hint = "gatepost analyze --format csv PATH... lists the failures with their IDs"
	if id == "" {
		return nil, usage(hint, "explain: the ID is empty")
	}
	var found []gatepost.Failure
	all := 0
	for f, err := range m.Failures.Entries() {
		if err != nil {
			return nil, err
		}
		all++
		if f.ID == id {
			return m.Failures.Failure(id)
		}
		if strings.HasPrefix(f.ID, id) || strings.HasPrefix(strings.TrimPrefix(f.ID, "f-"), id) {
			found = append(found, f)
		}
	}
	switch len(found) {
	case 0:
	case 1:
		return m.Failures.Failure(found[0].ID)
	default:
		return nil, failed("one of "+firstIDs(found), "%s: %d failures begin with this", id, len(found))
	}
	for _, i := range m.Incidents {
		if i.ID == id {
			return nil, failed("gatepost explain "+failureOf(m, id), "%s: is an incident, not a failure", id)
		}
	}
	if all == 0 {
		return nil, failed("", "%s: no such failure; there is none at all in these logs", id)
	}
	return nil, failed(hint, "%s: no such failure among %d", id, all)
}

func firstIDs(found []gatepost.Failure) string {
	const shown = 5
	var ids []string
	for _, f := range found[:min(shown, len(found))] {
		ids = append(ids, f.ID)
	}
	if len(found) > shown {
		ids = append(ids, fmt.Sprintf("and %d more", len(found)-shown))
	}
	return strings.Join(ids, ", ")
}

// failureOf returns the ID of the first failure of an incident.
func failureOf(m *gatepost.Model, incident string) string {
	for f, err := range m.Failures.Entries() {
		if err == nil && f.Incident == incident {
			return f.ID
		}
	}
	return "ID"
}
