package reports

import (
	"bytes"
	"encoding/json"
	"fmt"

	"gatepost"
)

// Incident returns the ledger's object of one incident as JSON that may be printed, for programs that are told of an incident while it
// happens. The sources give the names of the files whose lines it cites; without its source a line has no file.
func Incident(i *gatepost.Incident, sources []gatepost.Source) ([]byte, error) {
	l := newLedger(&gatepost.Model{Sources: sources})
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(l.incident(i, i.Failures == 0)); err != nil {
		return nil, fmt.Errorf("encode incident %s: %w", i.ID, err)
	}
	return jsonSafe(nil, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))), nil
}
