package main

import (
	"context"
	"crypto/rand"

	"github.com/spf13/cobra"

	"gatepost/redact"
)

// redactionDoc is what the help of every command with --redact says of it.
const redactionDoc = `

With --redact clients, users, mail addresses, secrets, the values in queries and in SQL and
the names of records are replaced by stand-ins such as client-7f3a09c2, on standard error
too: equal values by equal ones, in all outputs of one --db. Addresses of upstream servers
and of this machine stay, as do host, database, file and route names, and PostgreSQL's
roles. The store keeps what the logs say: hand on reports, not the store.`

// redaction is what is hidden in all that a command prints. It is part of env, since messages pass there too.
type redaction struct {
	asked  bool             // --redact
	key    []byte           // of stand-ins; nil for one made by chance
	hiding *redact.Redactor // nil before the first use
}

func (r *redaction) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&r.asked, "redact", false, "replace what is personal or secret by stand-ins such as client-7f3a09c2")
	cmd.Long += redactionDoc
}

// redactor returns what hides, with a key for this run where there is no store to keep one.
func (r *redaction) redactor() *redact.Redactor {
	if r.hiding == nil {
		r.hiding = redact.New(r.fresh())
	}
	return r.hiding
}

// fresh returns a key for a store that has none.
func (r *redaction) fresh() []byte {
	if r.key == nil {
		r.key = make([]byte, 32)
		rand.Read(r.key) // never fails
	}
	return r.key
}

// message hides in a message.
func (r *redaction) message(s string) string {
	if !r.asked {
		return s
	}
	return r.redactor().Text(s)
}

// hider returns what hides in what is told of an analysis, by the key that its store keeps; nil when nothing is to be hidden.
func (a *analysis) hider(ctx context.Context) (*redact.Redactor, error) {
	if !a.env.asked {
		return nil, nil
	}
	key, err := a.store.RedactionKey(ctx, a.env.fresh())
	if err != nil {
		return nil, err
	}
	r := redact.New(key)
	r.Files(a.paths...)
	return r, nil
}

// redact hides in everything that a command can print of an analysis: its model, and its store as statements see it.
func (a *analysis) redact(ctx context.Context) error {
	r, err := a.hider(ctx)
	if r == nil || err != nil {
		return err
	}
	if a.model, err = r.Model(a.model); err != nil {
		return err
	}
	a.env.hiding = r
	return a.store.Redact(ctx, r.Cell)
}
