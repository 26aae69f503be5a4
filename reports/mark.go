package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"gatepost"
)

// Mark is what the page of a night says of itself to the calendar of nights. It stands in the page, so that there is nothing beside the pages
// that could be lost or tell of pages that are gone.
type Mark struct {
	Day      string `json:"day"` // on which the night begins in the reader's zone: 2026-11-21
	Host     string `json:"host,omitempty"`
	Requests int64  `json:"requests"`
	Failures int    `json:"failures"`
	People   int    `json:"people,omitempty"`
	Outages  int    `json:"outages,omitempty"`
	Cause    string `json:"cause,omitempty"` // of most failures
	Causes   int    `json:"causes,omitempty"`
}

// NewMark counts the mark of a model.
func NewMark(m *gatepost.Model, day time.Time) (*Mark, error) {
	t, err := newTally(m, newClock(m), 1)
	if err != nil {
		return nil, err
	}
	k := &Mark{Day: day.Format(time.DateOnly), Host: visible(t.host()), Requests: m.Requests, Failures: t.failures, People: t.clients,
		Outages: len(t.Incidents), Causes: len(t.causes)}
	if len(t.causes) > 0 {
		k.Cause = t.causes[0].name
	}
	return k, nil
}

// A mark is a comment behind the page. JSON writes the signs that would end it as escapes.
const (
	markBegins = "<!-- gatepost-night "
	markEnds   = " -->\n"
)

// MarkSize is how many bytes at the end of a page hold its mark.
const MarkSize = 8 << 10

// Write writes the mark, behind the page that it is about.
func (k *Mark) Write(w io.Writer) error {
	text, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("encode the mark of a page: %w", err)
	}
	_, err = io.WriteString(w, markBegins+string(text)+markEnds)
	return err
}

// ReadMark finds the mark in the end of a file, nil when it has none: then it is no page of a night, or not all of one.
func ReadMark(end []byte) *Mark {
	text, ok := bytes.CutSuffix(end, []byte(markEnds))
	at := bytes.LastIndex(text, []byte(markBegins))
	if !ok || at < 0 {
		return nil
	}
	var k Mark
	if json.Unmarshal(text[at+len(markBegins):], &k) != nil {
		return nil
	}
	if _, err := time.Parse(time.DateOnly, k.Day); err != nil {
		return nil
	}
	return &k
}
