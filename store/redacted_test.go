package store_test

import (
	"strings"
	"testing"

	"gatepost"
)

// TestRedact holds that Query sees nothing but what a Redaction passes on: texts and hashes of all views, but for columns that are
// known to be harmless, and nothing beneath them.
func TestRedact(t *testing.T) {
	s := open(t, "")
	src := &gatepost.Source{Path: "access.log", HeadSize: 1}
	check(t, s.AddSource(t.Context(), src))
	b := &gatepost.Batch{}
	b.Reset(src.ID)
	e := gatepost.NewEvent(gatepost.NginxRequest, gatepost.Ref{Source: src.ID, Length: 9, Line: 1}, 1)
	e.Path, e.Client, e.Text, e.Key = "/secret", "secret", "secret", 4711
	b.Events = append(b.Events, e)
	r := b.AddRequest()
	*r = gatepost.Request{Ref: e.Ref, End: 1, Key: 4711, Client: gatepost.HashOf("secret"), Status: 502}
	b.Unknown.Add(gatepost.UnknownLine{Kind: "secret *", Count: 1, Weight: 1, Sample: "secret 7"})
	if err := s.Append(t.Context(), src, b); err != nil {
		t.Fatal(err)
	}
	key, err := s.RedactionKey(t.Context(), []byte("first"))
	if err != nil || string(key) != "first" {
		t.Fatalf("key %q, %v", key, err)
	}
	if key, err = s.RedactionKey(t.Context(), []byte("second")); err != nil || string(key) != "first" {
		t.Fatalf("key %q, %v", key, err)
	}
	hide := func(column string, source int64, v any) any {
		switch v := v.(type) {
		case string:
			return strings.ReplaceAll(v, "secret", "hidden")
		case int64:
			if strings.HasSuffix(column, ".key") || strings.HasSuffix(column, ".client") {
				return "hidden"
			}
		}
		return v
	}
	if err := s.Redact(t.Context(), hide); err != nil {
		t.Fatal(err)
	}
	f := func(statement, want string) {
		t.Helper()
		rows, err := s.Query(t.Context(), statement)
		if err != nil {
			if want != "refused" || !strings.Contains(err.Error(), "only its views") {
				t.Errorf("%s: %v", statement, err)
			}
			return
		}
		got := ""
		for row, err := range rows.Rows {
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range row {
				s, _ := v.(string)
				got += s + " "
			}
		}
		if strings.TrimSpace(got) != want {
			t.Errorf("%s: got %q, want %q", statement, got, want)
		}
	}
	f("SELECT path, substr(client, 1, 3), text, key FROM events", "/hidden hid hidden hidden")
	f("SELECT client, key FROM requests WHERE client = hash('secret') AND time < '1971'", "hidden hidden")
	f("SELECT kind, sample FROM unknown", "hidden * hidden 7")
	f("SELECT 'a secret'", "a hidden")
	f("SELECT path FROM events WHERE path = '/secret'", "")
	for _, beneath := range []string{"main.events", "_events", "_lines", "temp._requests", "_redaction", "_chunks", "_unknown", "main.routes"} {
		f("SELECT * FROM "+beneath, "refused")
	}
}
