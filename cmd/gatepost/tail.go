package main

import (
	"cmp"
	"context"
	"errors"

	"github.com/spf13/cobra"

	"gatepost"
	"gatepost/correlate"
	"gatepost/reports"
)

const tailDoc = `Follow logs, and say of each failing request why it failed, as it happens.

It reads what analyze reads, and goes on reading: files that grow, are rotated or
truncated, vanish and come back, and new ones in a directory. Without a PATH the logs of
this machine are found. It begins at the end of the logs, with the last hour of them
read beforehand so that the first verdict knows what went before; --from-start says
what is in them from the beginning, and with --db it goes on where the last run ended.

A verdict is provisional until no later line can change it, some twenty minutes after
the failure; when a line makes it another one before that, this is said, with the line.
At the end, with Ctrl-C or SIGTERM, everything is judged once more as analyze does.`

const tailExamples = `  gatepost tail
  gatepost tail /var/log/nginx /var/log/odoo/odoo-server.log
  gatepost tail --db /var/lib/gatepost/gatepost.db --format ndjson
  journalctl -f -o export | gatepost tail /var/log/nginx -`

func newTail(e *env) *cobra.Command {
	var in readingFlags
	var out tailFlags
	cmd := &cobra.Command{
		Use:     "tail [PATH...]",
		Short:   "follow logs, and say why requests fail as they do",
		Long:    tailDoc,
		Example: tailExamples,
		GroupID: groupReading,
		RunE: func(cmd *cobra.Command, paths []string) error {
			r, err := in.resolve(e)
			if err != nil {
				return err
			}
			audience, machines, err := out.resolve(e)
			if err != nil {
				return err
			}
			return e.tail(cmd.Context(), r, paths, out.fromStart, audience, machines)
		},
	}
	in.add(cmd)
	out.add(cmd)
	e.redaction.add(cmd)
	return cmd
}

// tailFlags are the options of tail about what it says, as they were typed.
type tailFlags struct {
	fromStart bool
	format    string
	plain     bool
	look      lookFlags
	live      liveFlags
}

func (f *tailFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.BoolVar(&f.fromStart, "from-start", false, "say what is in the logs from their beginning")
	fs.StringVarP(&f.format, "format", "f", "text", "`FORMAT` of what is said: text, ndjson")
	fs.BoolVar(&f.plain, "plain", false, "write lines on a terminal too, instead of a view that is kept up to date")
	f.look.add(cmd)
	f.live.add(cmd)
	completeWith(cmd, "format", func() []string { return []string{"text", "ndjson"} })
}

func (f *tailFlags) resolve(e *env) (audience, *machines, error) {
	if f.format != "text" && f.format != "ndjson" {
		return audience{}, nil, usage("--format text or --format ndjson", "--format: tail does not know %q", f.format)
	}
	look, err := f.look.resolve(e)
	if err != nil {
		return audience{}, nil, err
	}
	m, err := f.live.resolve(e)
	return audience{programs: f.format == "ndjson", plain: f.plain, look: look.stdout}, m, err
}

// tail follows logs until ctx ends, or the audience has seen enough.
func (e *env) tail(ctx context.Context, r *reading, args []string, fromStart bool, audience audience, m *machines) error {
	ctx, quit := context.WithCancel(ctx)
	defer quit()
	l := e.newLive(r)
	l.beat = m.beat
	if err := m.start(engineView{status: l.status, sources: func() []gatepost.Source { return l.told }}); err != nil {
		return err
	}
	defer m.stop()
	err := l.begin(ctx, args, fromStart)
	begun := err == nil
	if begun {
		zone := r.zone
		if zone == nil {
			zone = e.zone
		}
		l.listeners = append(m.listeners(), audience.listener(ctx, e, reports.NewLive(zone, correlate.Docs(), l.path), l.status, quit))
		err = errors.Join(l.run(ctx), l.end(context.WithoutCancel(ctx)))
		for _, heard := range l.listeners {
			err = errors.Join(err, heard.close())
		}
		if audience.programs && !errors.Is(err, errStuck) {
			err = l.summarize(context.WithoutCancel(ctx), err)
		}
	}
	err = errors.Join(err, l.a.close())
	if begun && err != nil {
		return &exit{status: statusFailed, err: err, hint: remedy(err), late: true}
	}
	return err
}

// summarize writes the summary of the ledger, also after an error, as far as the store tells then. It returns that error, or its own.
func (l *live) summarize(ctx context.Context, ended error) error {
	m := l.a.model
	if ended != nil || m == nil {
		stored, err := l.a.env.model(ctx, &history{Store: l.store}, l.since, l.until)
		if err != nil {
			return cmp.Or(ended, err)
		}
		if m = stored; ended != nil {
			m.Notes = append(m.Notes, "following ended with an error, after which not all was judged: "+ended.Error())
		}
	}
	if l.hide != nil {
		hidden, err := l.hide.Model(m)
		if err != nil {
			return cmp.Or(ended, err)
		}
		m = hidden
	}
	return cmp.Or(ended, reports.Summary(l.a.env.stdout, m))
}
