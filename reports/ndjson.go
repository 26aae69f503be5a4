package reports

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"gatepost"
)

var _ = register(&Report{
	Name:   "ndjson",
	Ext:    ".ndjson",
	Doc:    "the ledger, one JSON object per line: each failure, each incident, a summary",
	Render: renderNDJSON,
})

func renderNDJSON(w io.Writer, m *gatepost.Model, _ Options) error {
	l, out := newLedger(m), newRecordWriter(w)
	for r := range l.failures() {
		out.put(r, "\n")
	}
	for r := range l.incidents() {
		out.put(r, "\n")
	}
	out.put(l.summary(), "\n")
	return errors.Join(l.err, out.done())
}

// Summary writes the last object of the ledger alone, for who was told the others as they came about. When the failures cannot be
// counted nothing is written.
func Summary(w io.Writer, m *gatepost.Model) error {
	l, out := newLedger(m), newRecordWriter(w)
	for range l.failures() {
	}
	if l.err != nil {
		return l.err
	}
	out.put(l.summary(), "\n")
	return out.done()
}

// recordWriter writes records as JSON, one at a time, and keeps the first error until done.
type recordWriter struct {
	w    *bufio.Writer
	buf  bytes.Buffer
	json *json.Encoder
	safe []byte
	err  error
}

func newRecordWriter(w io.Writer) *recordWriter {
	out := &recordWriter{w: bufio.NewWriterSize(w, 64<<10)}
	out.json = json.NewEncoder(&out.buf)
	out.json.SetEscapeHTML(false) // paths are to be read by people as well
	return out
}

// put writes a record and what stands behind it.
func (out *recordWriter) put(record any, end string) {
	if out.err != nil {
		return
	}
	out.buf.Reset()
	if err := out.json.Encode(record); err != nil {
		out.err = fmt.Errorf("encode %T: %w", record, err)
		return
	}
	out.safe = jsonSafe(out.safe[:0], bytes.TrimSuffix(out.buf.Bytes(), []byte("\n")))
	if _, err := out.w.Write(out.safe); err != nil {
		out.err = err
		return
	}
	out.text(end)
}

func (out *recordWriter) text(s string) {
	if out.err == nil {
		_, out.err = out.w.WriteString(s)
	}
}

func (out *recordWriter) done() error {
	if out.err != nil {
		return out.err
	}
	return out.w.Flush()
}
