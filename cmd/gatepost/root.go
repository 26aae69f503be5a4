package main

import (
	"strings"

	"github.com/spf13/cobra"
)

const rootDoc = `gatepost finds out why users got a 502 or a 504.

It reads the logs that nginx (or HAProxy, or Traefik), Odoo, the kernel, systemd and
PostgreSQL already write, plain or compressed, gives every single failing request one root cause with the lines
that prove it, and says what to change. It needs no configuration: formats, zones and
compression are recognised by content.`

const rootExamples = `  gatepost analyze                       on the server: look in the usual places
  gatepost analyze logs/                 logs copied from one or more machines
  gatepost demo                          a recorded incident, to see what a report looks like
  gatepost explain f-3b9c DIR            the whole argument for one failing request
  gatepost sql 'SELECT cause, count(*) FROM failures GROUP BY 1' DIR`

// usageTemplate is cobra's without its repetitions, and with options that wrap.
const usageTemplate = `Usage:
  {{.UseLine}}
{{if .HasExample}}
Examples:
{{.Example}}
{{end}}{{if .HasAvailableSubCommands}}{{$cmds := .Commands}}{{range $group := .Groups}}
{{.Title}}{{range $cmds}}{{if (and (eq .GroupID $group.ID) .IsAvailableCommand)}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}
{{end}}
"gatepost COMMAND --help" says more about a command.
{{end}}{{if .HasAvailableLocalFlags}}
Options:
{{.LocalFlags.FlagUsagesWrapped 96 | trimTrailingWhitespaces}}
{{end}}`

const (
	groupReading = "reading"
	groupOther   = "other"
)

func newRoot(e *env) *cobra.Command {
	root := &cobra.Command{
		Use:                        "gatepost COMMAND",
		Short:                      "why did my users get a 502 or a 504?",
		Long:                       rootDoc,
		Example:                    rootExamples,
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
		Args:                       cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	root.Version = version()
	root.SetVersionTemplate("gatepost {{.Version}}\n")
	root.SetIn(e.stdin)
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage(cmd.CommandPath()+" --help", "%w", err)
	})
	root.AddGroup(
		&cobra.Group{ID: groupReading, Title: "Commands that read logs:"},
		&cobra.Group{ID: groupOther, Title: "Other commands:"},
	)
	root.AddCommand(
		newAnalyze(e), newTail(e), newExplain(e), newReport(e), newSQL(e), newDemo(e),
		newVersion(e), newMan(),
	)
	tidy(root)
	return root
}

// tidy gives what cobra adds by itself the voice of the rest.
func tidy(root *cobra.Command) {
	root.SetUsageTemplate(usageTemplate)
	root.PersistentFlags().BoolP("help", "h", false, "")
	root.PersistentFlags().Lookup("help").Hidden = true // the usage ends with it
	for _, c := range root.Commands() {
		c.DisableFlagsInUseLine = true
	}
	root.DisableFlagsInUseLine = true
	root.SetHelpCommandGroupID(groupOther)
	root.InitDefaultHelpCmd()
	root.SetCompletionCommandGroupID(groupOther)
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Short = "what a command does, and how"
		case "completion":
			c.Short = "make a shell complete commands and options"
			c.Long = "Write the completion of commands and options for a shell: bash, zsh, fish or powershell."
			c.Example = "  source <(gatepost completion bash)\n  gatepost completion fish > ~/.config/fish/completions/gatepost.fish"
		}
	}
}

func unknownCommand(root *cobra.Command, name string) error {
	hint := "gatepost --help"
	if similar := root.SuggestionsFor(name); len(similar) > 0 {
		hint = "gatepost " + strings.Join(similar, ", gatepost ")
	} else if strings.ContainsAny(name, "/.") {
		hint = "gatepost analyze " + name
	}
	return usage(hint, "unknown command %q", name)
}

// atLeast demands n arguments, and says what is missing.
func atLeast(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < n {
			return usage(cmd.CommandPath()+" --help", "%s: %s is missing", cmd.Name(), what)
		}
		return nil
	}
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage(cmd.CommandPath()+" --help", "%s: takes no argument, but got %q", cmd.Name(), args[0])
	}
	return nil
}
