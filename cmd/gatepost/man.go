package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// newMan makes the manual pages for packages: a page for each command, from its help. Their date is that of SOURCE_DATE_EPOCH, so
// that the same source makes the same package.
func newMan() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "write the manual pages into a directory",
		Hidden: true,
		Args:   atLeast(1, "DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o777); err != nil {
				return fmt.Errorf("%s: %w", args[0], reason(err))
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			header := &doc.GenManHeader{Title: "GATEPOST", Section: "1", Source: "gatepost " + version(), Manual: "gatepost"}
			return doc.GenManTree(root, header, args[0])
		},
	}
}
