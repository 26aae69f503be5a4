package reports

import (
	"iter"
	"math"
	"strconv"
	"time"

	"gatepost"
)

// The objects that programs read: one per failure, one per incident, one summary. Their names
// are a promise: fields are added, never renamed or dropped. Lists are never null, times are
// RFC 3339 in UTC, and what is not known is left out.

type failureRecord struct {
	Type       string           `json:"type"` // "failure"
	ID         string           `json:"id"`
	File       string           `json:"file"`
	Line       int64            `json:"line"`
	Offset     int64            `json:"offset"`
	Time       string           `json:"time"`
	Start      string           `json:"start,omitempty"`
	Status     int              `json:"status"`
	Method     string           `json:"method"`
	Path       string           `json:"path"`
	Client     string           `json:"client"`
	Upstream   string           `json:"upstream"`
	Phase      gatepost.Phase   `json:"phase"`
	Cause      string           `json:"cause"`
	Instance   string           `json:"instance"`
	Via        string           `json:"via,omitempty"`
	Confidence float64          `json:"confidence"`
	State      gatepost.State   `json:"state"`
	Incident   string           `json:"incident"`
	Finished   string           `json:"finished,omitempty"` // by Odoo, although the user had seen the error
	Evidence   []evidenceRecord `json:"evidence"`
	Rivals     []rivalRecord    `json:"rivals"`
	Missing    []string         `json:"missing"`
}

type evidenceRecord struct {
	Role   gatepost.Role `json:"role"`
	Kind   gatepost.Kind `json:"kind"`
	File   string        `json:"file,omitempty"`
	Line   int64         `json:"line,omitempty"`
	Text   string        `json:"text"`
	Join   string        `json:"join"`
	Says   string        `json:"says"`
	Weight int           `json:"weight"` // milli-bans
}

type rivalRecord struct {
	Cause      string  `json:"cause"`
	Instance   string  `json:"instance,omitempty"`
	Confidence float64 `json:"confidence"`
	WhyNot     string  `json:"why_not"`
}

type incidentRecord struct {
	Type       string           `json:"type"` // "incident"
	ID         string           `json:"id"`
	Outage     bool             `json:"outage,omitempty"` // no entry of the ledger belongs to it
	From       string           `json:"from,omitempty"`
	To         string           `json:"to,omitempty"`
	Cause      string           `json:"cause"`
	Instance   string           `json:"instance"`
	Title      string           `json:"title"`
	Confidence float64          `json:"confidence"`
	State      gatepost.State   `json:"state"`
	Failures   int              `json:"failures"`
	Clients    int              `json:"clients"`
	Statuses   map[string]int   `json:"statuses"`
	Chain      []stepRecord     `json:"chain"`
	Evidence   []evidenceRecord `json:"evidence"`
	Rivals     []rivalRecord    `json:"rivals"`
	Missing    []string         `json:"missing"`
	Fix        []adviceRecord   `json:"fix"`
}

type stepRecord struct {
	Role string `json:"role"`
	Time string `json:"time,omitempty"`
	Says string `json:"says"`
	File string `json:"file,omitempty"`
	Line int64  `json:"line,omitempty"`
	Text string `json:"text,omitempty"`
}

type adviceRecord struct {
	Do    string `json:"do"`
	Why   string `json:"why"`
	File  string `json:"file"`
	Line  string `json:"line"` // the line to write there
	Price string `json:"price"`
}

type summaryRecord struct {
	Type             string           `json:"type"` // "summary"
	Version          string           `json:"version"`
	Made             string           `json:"made,omitempty"`
	From             string           `json:"from,omitempty"`
	To               string           `json:"to,omitempty"`
	Requests         int64            `json:"requests"`
	Statuses         map[string]int64 `json:"statuses"` // of all requests
	Failures         int              `json:"failures"`
	FailuresByStatus map[string]int   `json:"failures_by_status"`
	FailuresByCause  map[string]int   `json:"failures_by_cause"`
	Incidents        int              `json:"incidents"`
	Outages          int              `json:"outages"`
	Sources          []sourceRecord   `json:"sources"`
	Missed           int64            `json:"without_verdict,omitempty"` // requests that failed and are not among failures
	Unjudged         []unjudgedRecord `json:"unjudged,omitempty"`        // times that no analysis has judged
	Gaps             []gapRecord      `json:"gaps"`
	Notes            []string         `json:"notes"`
}

type unjudgedRecord struct {
	From     string `json:"from"`
	To       string `json:"to"`
	Requests int64  `json:"requests"`
	Failures int64  `json:"failures"`
}

type sourceRecord struct {
	File     string `json:"file"`
	Format   string `json:"format"`
	Dialect  string `json:"dialect"`
	Host     string `json:"host"`
	Strand   string `json:"strand,omitempty"` // whose lines of the file these are
	Lines    int64  `json:"lines"`
	Bytes    int64  `json:"bytes"`
	Unparsed int64  `json:"unparsed"`
	// Understood is the share of the lines that are, 0 where nothing was.
	Understood float64         `json:"understood"`
	Unknown    []unknownRecord `json:"unknown"` // the most frequent kinds of the others
	First      string          `json:"first,omitempty"`
	Last       string          `json:"last,omitempty"`
	Zone       string          `json:"zone"`
	ZoneFound  string          `json:"zone_found"`
	Shift      float64         `json:"shift"` // seconds added to its stamps to get UTC
	Problem    string          `json:"problem"`
}

type unknownRecord struct {
	Count  int64  `json:"count"` // at least
	Kind   string `json:"kind"`
	Sample string `json:"sample"`
	Line   int64  `json:"line"`
}

type gapRecord struct {
	File string `json:"file"`
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	Why  string `json:"why"`
}

// ledger makes the records of a Model, one at a time: failures first, then incidents, then the summary, which
// counts the failures that went by.
type ledger struct {
	m        *gatepost.Model
	sources  map[int]*gatepost.Source
	ask      func(source int) string // path of a source that is not among them, nil when there is none
	count    int
	byStatus map[string]int
	byCause  map[string]int
	err      error // of reading the failures
}

func newLedger(m *gatepost.Model) *ledger {
	return &ledger{m: m, sources: sourcesByID(m), byStatus: map[string]int{}, byCause: map[string]int{}}
}

// failures yields the records of the failures, to the end or to an error, which it leaves in err.
func (l *ledger) failures() iter.Seq[any] {
	return func(yield func(any) bool) {
		if l.m.Failures == nil {
			return
		}
		for f, err := range l.m.Failures.Failures() {
			if err != nil {
				l.err = err
				return
			}
			l.count++
			l.byStatus[strconv.Itoa(f.Status)]++
			l.byCause[f.Verdict.Cause]++
			if !yield(l.failure(&f)) {
				return
			}
		}
	}
}

func (l *ledger) incidents() iter.Seq[any] {
	return func(yield func(any) bool) {
		for i := range l.m.Incidents {
			if !yield(l.incident(&l.m.Incidents[i], false)) {
				return
			}
		}
		for i := range l.m.Outages {
			if !yield(l.incident(&l.m.Outages[i], true)) {
				return
			}
		}
	}
}

func (l *ledger) failure(f *gatepost.Failure) *failureRecord {
	file, _ := l.place(f.Ref)
	return &failureRecord{
		Type: "failure", ID: f.ID,
		File: file, Line: f.Ref.Line, Offset: f.Ref.Offset,
		Time: stamp(f.Time), Start: stamp(f.Start),
		Status: f.Status, Method: f.Method, Path: f.Path, Client: f.Client, Upstream: f.Upstream,
		Phase: f.Phase, Cause: f.Verdict.Cause, Instance: f.Verdict.Instance, Via: f.Verdict.Via,
		Confidence: ratio(f.Verdict.Confidence), State: f.Verdict.State, Incident: f.Incident, Finished: stamp(f.Finished),
		Evidence: l.evidence(f.Verdict.All()), Rivals: rivalRecords(f.Verdict.Rivals),
		Missing: orEmpty(f.Verdict.Missing),
	}
}

func (l *ledger) incident(i *gatepost.Incident, outage bool) *incidentRecord {
	r := &incidentRecord{
		Type: "incident", ID: i.ID, Outage: outage, From: stamp(i.From), To: stamp(i.To),
		Cause: i.Cause, Instance: i.Instance, Title: i.Title,
		Confidence: ratio(i.Confidence), State: i.State,
		Failures: i.Failures, Clients: i.Clients, Statuses: byStatus(i.Statuses),
		Chain:    make([]stepRecord, 0, len(i.Chain)),
		Evidence: l.evidence(i.Evidence), Rivals: rivalRecords(i.Rivals), Missing: orEmpty(i.Missing),
		Fix: make([]adviceRecord, 0, len(i.Fix)),
	}
	for _, s := range i.Chain {
		file, line := l.place(s.Ref)
		r.Chain = append(r.Chain, stepRecord{s.Role, stamp(s.Time), s.Says, file, line, s.Text})
	}
	for _, a := range i.Fix {
		r.Fix = append(r.Fix, adviceRecord(a))
	}
	return r
}

func (l *ledger) evidence(all []gatepost.Evidence) []evidenceRecord {
	records := make([]evidenceRecord, 0, len(all))
	for i := range all {
		e := &all[i]
		file, line := l.place(e.Ref)
		records = append(records, evidenceRecord{e.Role, e.Kind, file, line, e.Text, e.Join, e.Says, e.Weight})
	}
	return records
}

func rivalRecords(all []gatepost.Rival) []rivalRecord {
	records := make([]rivalRecord, 0, len(all))
	for _, r := range all {
		records = append(records, rivalRecord{r.Cause, r.Instance, ratio(r.Confidence), r.WhyNot})
	}
	return records
}

// place is the file and line of a record, nothing where the source is not known.
func (l *ledger) place(r gatepost.Ref) (file string, line int64) {
	switch s := l.sources[r.Source]; {
	case !r.Known():
	case s != nil:
		return s.Path, r.Line
	case l.ask != nil:
		if path := l.ask(r.Source); path != "" {
			return path, r.Line
		}
	}
	return "", 0
}

func (l *ledger) summary() *summaryRecord {
	m := l.m
	r := &summaryRecord{
		Type: "summary", Version: m.Version, Made: stamp(m.Made), From: stamp(m.From), To: stamp(m.To),
		Requests: m.Requests, Statuses: byStatus(m.Statuses),
		Failures: l.count, FailuresByStatus: l.byStatus, FailuresByCause: l.byCause,
		Incidents: len(m.Incidents), Outages: len(m.Outages), Missed: m.Missed,
		Sources: make([]sourceRecord, 0, len(m.Sources)),
		Gaps:    make([]gapRecord, 0, len(m.Gaps)),
		Notes:   orEmpty(m.Notes),
	}
	for i := range m.Sources {
		r.Sources = append(r.Sources, l.source(&m.Sources[i]))
	}
	for _, u := range m.Unjudged {
		r.Unjudged = append(r.Unjudged, unjudgedRecord{stamp(u.From), stamp(u.To), u.Requests, u.Failures})
	}
	for _, g := range m.Gaps {
		file, _ := l.place(gatepost.Ref{Source: g.Source})
		r.Gaps = append(r.Gaps, gapRecord{file, stamp(g.From), stamp(g.To), g.Why})
	}
	return r
}

func (l *ledger) source(s *gatepost.Source) sourceRecord {
	r := sourceRecord{
		File: s.Path, Format: s.Format, Dialect: s.Dialect, Host: s.Host, Strand: s.Strand,
		Lines: s.Lines, Bytes: s.Bytes, Unparsed: s.Unparsed, Understood: understood(s), Unknown: []unknownRecord{},
		Zone: s.Clock.Zone, ZoneFound: s.Clock.How,
		Shift:   math.Round(s.Clock.Shift.Seconds()*1e6) / 1e6,
		Problem: s.Problem,
	}
	for _, x := range unknownOf(l.m, s) {
		r.Unknown = append(r.Unknown, unknownRecord{x.Count, x.Kind, x.Sample, x.Ref.Line})
	}
	if placed(s) {
		r.First, r.Last = stamp(s.Clock.At(s.First)), stamp(s.Clock.At(s.Last))
	}
	return r
}

// stamp writes a time to the millisecond at most: no log that is read here knows more of when a
// request ended.
func stamp(t gatepost.Time) string {
	if !known(t) {
		return ""
	}
	return (t - t%gatepost.Time(time.Millisecond)).String()
}

func byStatus[N int | int64](counts map[int]N) map[string]N {
	named := make(map[string]N, len(counts))
	for status, n := range counts {
		named[strconv.Itoa(status)] = n
	}
	return named
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
