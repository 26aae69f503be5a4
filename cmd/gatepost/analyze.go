package main

import "github.com/spf13/cobra"

const analyzeDoc = `Read logs and give every 502 and 504 one root cause, with the lines that prove it.

PATH is a log, a directory or an archive with logs, or "-" for standard input. What a file
is, is seen by its content: access and error log of nginx, log of HAProxy, access log of
Traefik, logs of Odoo, PostgreSQL and PgBouncer, kernel log; what syslog, the journal and
containers collected of several programs is taken apart. Plain or compressed with gzip,
zstd, bzip2, xz or lz4, and in archives of tar or zip, whose members are named
ARCHIVE!MEMBER. nginx.conf, haproxy.cfg, odoo.conf and postgresql.conf that lie among the
logs are used as configuration.

Without a PATH the logs of this machine are found: those that the configuration of nginx,
Odoo and PostgreSQL names, with what rotation made of them, those of containers, and what
lies in the usual places; where syslog writes no files, the journal by journalctl, or else
the kernel's ring buffer. With --root the disk of another machine is searched in this way.
--dry-run says what would be read.

HAProxy answers 503 where nobody took a request, which nginx calls 502: --status
502,503,504 counts these as failures too.

Any access log will do for a list of failures; the causes stand in the other logs, so
give as many as there are, of the same hours.

With --since or --until an access log of 32 MiB or more is searched for that time and not
read beyond what can matter to it; the report says how much was read. Other logs, and
what is compressed, archived or piped, are read whole.

With --db everything is read and kept, and the next run with the same file reads only
what is new: rotated and compressed logs are known again by their content, and every line
counts once.

Exit status: 0 the report was made, with or without failures in it; 1 it could not be
made; 2 wrong usage; 3 it was made, but part of the input could not be read or was not
recognised; 4 a condition given with --fail-on holds; 5 it was made, but could not be mailed,
or what is too old could not be removed.`

const analyzeExamples = `  gatepost analyze
  gatepost analyze --dry-run
  gatepost analyze /var/log/nginx /var/log/odoo/odoo.log /var/log/kern.log
  journalctl -k -o short-iso | gatepost analyze logs/ -
  gatepost analyze --since yesterday --tz Europe/Paris logs/
  gatepost analyze --format json --output report.json --format text logs/
  gatepost analyze --db night.db --since yesterday --html /var/www/night.html /var/log
  gatepost analyze --db night.db --fail-on any --output /var/www/night.md logs/
  gatepost analyze --db night.db --since yesterday --html /var/www/nights/ --keep 90d`

func newAnalyze(e *env) *cobra.Command {
	var in readingFlags
	var out nightlyFlags
	var dry bool
	cmd := &cobra.Command{
		Use:     "analyze [PATH...]",
		Short:   "read logs and report every failure with its cause",
		Long:    analyzeDoc,
		Example: analyzeExamples,
		GroupID: groupReading,
		RunE: func(cmd *cobra.Command, paths []string) error {
			if dry {
				if len(out.formats)+len(out.outputs)+len(out.failOn)+len(out.mail.to) > 0 || out.html+out.keep != "" {
					return usage("gatepost analyze --dry-run PATH...", "--dry-run: makes no report, so --format, --output, --html, --fail-on, --mail-to and --keep have no use")
				}
				return e.dryRun(cmd.Context(), &in, paths)
			}
			w, err := out.resolve(e, in.db)
			if err != nil {
				return err
			}
			return e.reads(cmd.Context(), &in, paths, func(a *analysis) error { return w.deliver(cmd.Context(), a) })
		},
	}
	in.add(cmd)
	cmd.Flags().BoolVar(&dry, "dry-run", false, "say what would be read, as what, and from when to when")
	e.redaction.add(cmd)
	out.add(cmd)
	return cmd
}
