package reports

import (
	"bytes"
	"testing"
)

// An incident by itself is the same text as in the ledger.
func TestIncident(t *testing.T) {
	for _, m := range models {
		model := m.make()
		var all bytes.Buffer
		if err := Lookup("ndjson").Render(&all, model, Options{}); err != nil {
			t.Fatal(err)
		}
		for i := range model.Incidents {
			if model.Incidents[i].Failures == 0 {
				continue
			}
			got, err := Incident(&model.Incidents[i], model.Sources)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(all.Bytes(), append(got, '\n')) {
				t.Errorf("%s: the ledger does not have %s", m.name, got)
			}
		}
		for i := range model.Outages {
			got, err := Incident(&model.Outages[i], model.Sources)
			if err != nil || model.Outages[i].Failures == 0 && !bytes.Contains(all.Bytes(), append(got, '\n')) {
				t.Errorf("%s: the ledger does not have %s, %v", m.name, got, err)
			}
		}
	}
}
