package reports

import (
	"encoding/csv"
	"io"
	"strconv"

	"gatepost"
)

var _ = register(&Report{
	Name:   "csv",
	Ext:    ".csv",
	Doc:    "the failures as a table for a spreadsheet (RFC 4180), without the evidence",
	Render: renderCSV,
})

// csvColumns is stable: columns are added at the end, never moved.
var csvColumns = []string{
	"id", "time", "start", "status", "method", "path", "client", "upstream", "phase",
	"cause", "instance", "confidence", "state", "incident", "file", "line",
}

func renderCSV(w io.Writer, m *gatepost.Model, _ Options) error {
	l, out := newLedger(m), csv.NewWriter(w)
	out.UseCRLF = true
	if err := out.Write(csvColumns); err != nil {
		return err
	}
	for f, err := range entries(m) {
		if err != nil {
			return err
		}
		file, _ := l.place(f.Ref)
		row := []string{
			f.ID, stamp(f.Time), stamp(f.Start), strconv.Itoa(f.Status), f.Method, f.Path, f.Client, f.Upstream, string(f.Phase),
			f.Verdict.Cause, f.Verdict.Instance, strconv.FormatFloat(ratio(f.Verdict.Confidence), 'f', -1, 64), string(f.Verdict.State),
			f.Incident, file, strconv.FormatInt(f.Ref.Line, 10),
		}
		for j := range row {
			row[j] = csvCell(row[j])
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
