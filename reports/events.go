package reports

import (
	"io"
	"time"

	"gatepost"
)

// Events writes a live analysis for programs: the objects of the ledger, one a line, as things happen. A failure is written when
// its verdict is first said, each time that it is another one, and when it is final; an incident when it begins, grows, gets another cause and ends.
type Events struct {
	out    *recordWriter
	ledger *ledger
	grown  map[string]gatepost.Time // when each open incident was last written
	waits  []gatepost.Change        // growth that is not written yet, one change an incident
}

// NewEvents makes an Events.
func NewEvents(w io.Writer, l *Live) *Events {
	return &Events{out: newRecordWriter(w), ledger: &ledger{m: &gatepost.Model{}, ask: l.path}, grown: map[string]gatepost.Time{}}
}

// growthPace is how often the growth of one incident is written: its object is as long as all of its evidence.
const growthPace = gatepost.Time(time.Second)

type failureEvent struct {
	*failureRecord
	Said    string          `json:"said,omitempty"`    // when
	Revises *revisedRecord  `json:"revises,omitempty"` // what was said before
	Because *evidenceRecord `json:"because,omitempty"` // the line that is new
}

type revisedRecord struct {
	Cause      string  `json:"cause"`
	Confidence float64 `json:"confidence"`
}

type incidentEvent struct {
	*incidentRecord
	Said    string              `json:"said,omitempty"`
	Live    gatepost.ChangeKind `json:"live"` // opened, grown, altered, closed
	Revises *revisedRecord      `json:"revises,omitempty"`
}

func revised(was *gatepost.Verdict) *revisedRecord {
	if was == nil {
		return nil
	}
	return &revisedRecord{was.Cause, ratio(was.Confidence)}
}

type noteEvent struct {
	Type string `json:"type"` // "note"
	Said string `json:"said,omitempty"`
	Text string `json:"text"`
}

type gapEvent struct {
	Type string `json:"type"` // "gap"
	Said string `json:"said,omitempty"`
	Text string `json:"text"`
	gapRecord
}

// Change writes a change.
func (e *Events) Change(c *gatepost.Change) error {
	e.due(func(last gatepost.Time) bool { return c.Time-last >= growthPace })
	switch c.Kind {
	case gatepost.Failed, gatepost.Revised, gatepost.Settled:
		if c.Failure != nil {
			e.failure(c)
		}
	case gatepost.Grown:
		if c.Incident != nil {
			e.grow(c)
		}
	case gatepost.Opened, gatepost.Altered, gatepost.Closed:
		if c.Incident != nil {
			e.forget(c.Incident.ID)
			e.incident(c)
		}
	case gatepost.Missed:
		e.gap(c)
	default:
		e.out.put(noteEvent{"note", stamp(c.Time), c.Text}, "\n")
	}
	return e.out.done()
}

// Tick writes growth that has waited long enough.
func (e *Events) Tick(now gatepost.Time) error {
	e.due(func(last gatepost.Time) bool { return now-last >= growthPace })
	return e.out.done()
}

// Done writes all growth that waits.
func (e *Events) Done() error {
	e.due(func(gatepost.Time) bool { return true })
	return e.out.done()
}

func (e *Events) failure(c *gatepost.Change) {
	r := failureEvent{failureRecord: e.ledger.failure(c.Failure), Said: stamp(c.Time)}
	r.Revises = revised(c.Was)
	if c.Because != nil {
		r.Because = &e.ledger.evidence([]gatepost.Evidence{*c.Because})[0]
	}
	e.out.put(r, "\n")
}

func (e *Events) incident(c *gatepost.Change) {
	e.out.put(incidentEvent{e.ledger.incident(c.Incident, false), stamp(c.Time), c.Kind, revised(c.Was)}, "\n")
	if c.Kind == gatepost.Closed {
		delete(e.grown, c.Incident.ID)
		return
	}
	e.grown[c.Incident.ID] = c.Time
}

// grow writes that an incident grew, or lets it wait: the next change of the incident tells all.
func (e *Events) grow(c *gatepost.Change) {
	id := c.Incident.ID
	if last, ok := e.grown[id]; ok && c.Time-last < growthPace {
		e.forget(id)
		e.waits = append(e.waits, *c)
		return
	}
	e.incident(c)
}

func (e *Events) forget(id string) {
	for i := range e.waits {
		if e.waits[i].Incident.ID == id {
			e.waits = append(e.waits[:i], e.waits[i+1:]...)
			return
		}
	}
}

func (e *Events) due(is func(last gatepost.Time) bool) {
	waits := e.waits
	e.waits = nil
	for i := range waits {
		if c := &waits[i]; is(e.grown[c.Incident.ID]) {
			e.incident(c)
		} else {
			e.waits = append(e.waits, *c)
		}
	}
}

func (e *Events) gap(c *gatepost.Change) {
	r := gapEvent{Type: "gap", Said: stamp(c.Time), Text: c.Text}
	if g := c.Gap; g != nil {
		file, _ := e.ledger.place(gatepost.Ref{Source: g.Source})
		r.gapRecord = gapRecord{file, stamp(g.From), stamp(g.To), g.Why}
	}
	e.out.put(r, "\n")
}
