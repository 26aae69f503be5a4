package reports

import (
	"errors"
	"io"
	"iter"

	"gatepost"
)

var _ = register(&Report{
	Name:   "json",
	Ext:    ".json",
	Doc:    `the ledger as one JSON document: {"failures": [], "incidents": [], "summary": {}}`,
	Render: renderJSON,
})

// renderJSON writes the records of ndjson, one a line too, within a document.
func renderJSON(w io.Writer, m *gatepost.Model, _ Options) error {
	l, out := newLedger(m), newRecordWriter(w)
	out.text("{\"failures\":")
	out.list(l.failures())
	out.text(",\n\"incidents\":")
	out.list(l.incidents())
	out.text(",\n\"summary\":")
	out.put(l.summary(), "}\n")
	return errors.Join(l.err, out.done())
}

func (out *recordWriter) list(records iter.Seq[any]) {
	before := "["
	for r := range records {
		out.text(before + "\n")
		out.put(r, "")
		before = ","
	}
	if before == "[" {
		out.text("[")
	}
	out.text("]")
}
