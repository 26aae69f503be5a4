package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatepost"
)

// picture is the night, one strip above the other.
type picture struct {
	Steps   int
	Strips  []strip
	Bands   []band
	Ticks   []tick
	Caption string
	Table   *table
}

// newPicture draws the night, nil when there is nothing to draw.
func (t *tally) newPicture(told map[string]bool) *picture {
	n := t.Night
	if n == nil || len(n.Moments) == 0 || n.Step <= 0 {
		return nil
	}
	a := axis{n.From, n.Step, len(n.Moments)}
	p := &picture{Steps: a.n, Ticks: a.ticks(t.clock.zone), Caption: "In steps of " + period(n.Step)}
	switch n.Step {
	case time.Second:
		p.Caption = "Second by second"
	case time.Minute:
		p.Caption = "Minute by minute"
	case time.Hour:
		p.Caption = "Hour by hour"
	}
	all := slices.Concat(t.Incidents, t.Outages)
	slices.SortStableFunc(all, func(a, b gatepost.Incident) int { return cmp.Compare(a.From, b.From) })
	p.Bands = a.bands(firsts(all, pageListed), func(in *gatepost.Incident) (string, string) {
		return t.shortCause(in.Cause), visible(clip(in.ID, labelLimit)) + ", " + t.clock.span(in.From, in.To) + ": " + clip(visible(t.headline(in)), headlineLimit)
	})
	for i := range p.Bands {
		b := &p.Bands[i]
		if b.ID, b.Link = label(b.ID), anchor(b.ID); !told[b.Link] {
			b.Link = "outages"
		}
	}
	p.Strips = append(p.Strips, t.requestStrip(n), t.failureStrip(n))
	if n.Odoo {
		p.Strips = append(p.Strips, t.workerStrip(n))
	}
	if n.Latency != "" {
		p.Strips = append(p.Strips, t.latencyStrip(n))
	}
	p.Table = t.pictureTable(n)
	return p
}

func firsts[T any](list []T, n int) []T { return list[:min(len(list), n)] }

// shortCause is the name of a cause as people say it in a picture.
func (t *tally) shortCause(cause string) string {
	return clip(visible(strings.ReplaceAll(cause, "_", " ")), 28)
}

// anchor makes an ID fit for an address within the page.
func anchor(id string) string {
	return clip(visible(strings.Map(func(r rune) rune {
		if r == '-' || letterOrDigit(r) {
			return r
		}
		return -1
	}, id)), labelLimit)
}

const (
	requestHeight = 40
	failureHeight = 72
	workerHeight  = 40
	latencyHeight = 52
)

// perStep says the time of a step as a unit: "a minute", "in 15 s".
func perStep(d time.Duration) string {
	switch d {
	case time.Second:
		return "a second"
	case time.Minute:
		return "a minute"
	case time.Hour:
		return "an hour"
	}
	return "in " + period(d)
}

func series(n *gatepost.Night, of func(*gatepost.Moment) float64) (values []float64, top float64, at int) {
	for i := range n.Moments {
		v := of(&n.Moments[i])
		values = append(values, v)
		if v > top {
			top, at = v, i
		}
	}
	return values, top, at
}

// stepAt tells when a step begins.
func (t *tally) stepAt(n *gatepost.Night, i int) string {
	layout := "15:04"
	if n.Step < time.Minute {
		layout = "15:04:05"
	}
	if t.clock.days {
		layout = "2 Jan " + layout
	}
	return n.From.Add(n.Step * time.Duration(i)).Std().In(t.clock.zone).Format(layout)
}

func (t *tally) requestStrip(n *gatepost.Night) strip {
	values, top, at := series(n, func(m *gatepost.Moment) float64 { return float64(m.Requests) })
	s := strip{ID: "requests", Title: "Requests", Height: requestHeight, Note: "none"}
	if top > 0 {
		s.Note = fmt.Sprintf("%s, most %s at %s", perStep(n.Step), count(int(top)), t.stepAt(n, at))
	}
	s.Says = "Requests " + s.Note
	s.Marks = []mark{{"grey", steps(values, top, s.Height)}}
	return s
}

func (t *tally) failureStrip(n *gatepost.Night) strip {
	_, top, at := series(n, func(m *gatepost.Moment) float64 { return float64(sum(m.Failures)) })
	s := strip{ID: "failures", Title: "Failures", Height: failureHeight, Note: "none"}
	if top > 0 {
		s.Note = fmt.Sprintf("%s, most %s at %s", perStep(n.Step), count(int(top)), t.stepAt(n, at))
	}
	s.Says = "Failures " + s.Note
	if top == 0 {
		s.Height = 12
	}
	base := make([]int, len(n.Moments))
	for c, name := range n.Causes {
		values := make([]int, len(n.Moments))
		all := 0
		for i := range n.Moments {
			if c < len(n.Moments[i].Failures) {
				values[i] = n.Moments[i].Failures[c]
				all += values[i]
			}
		}
		if all == 0 {
			continue
		}
		s.Marks = append(s.Marks, mark{causeHue(name), stack(values, base, int(top), s.Height, "1")})
		s.Keys = append(s.Keys, key{causeHue(name), t.shortCause(name), count(all)})
	}
	return s
}

func sum(list []int) (n int) {
	for _, x := range list {
		n += x
	}
	return n
}

func (t *tally) workerStrip(n *gatepost.Night) strip {
	values, top, at := series(n, func(m *gatepost.Moment) float64 { return m.Busy })
	s := strip{ID: "workers", Title: "Busy workers", Height: workerHeight}
	s.Note = fmt.Sprintf("on average over %s, most %.1f at %s", period(n.Step), top, t.stepAt(n, at))
	s.Says = "Busy workers " + s.Note
	top = max(top, float64(n.Workers), 1) * 1.06
	s.Marks = []mark{{"grey", steps(values, top, s.Height)}}
	if n.Workers > 0 {
		s.Limit = &limit{s.Height - scaled(float64(n.Workers), top, s.Height), counted(n.Workers, "worker", "workers")}
		s.Says += ", of " + s.Limit.Name
	}
	return s
}

func (t *tally) latencyStrip(n *gatepost.Night) strip {
	s := strip{ID: "latency", Title: "Time to answer", Height: latencyHeight}
	slow, top, at := series(n, func(m *gatepost.Moment) float64 { return m.P95.Seconds() })
	half, _, _ := series(n, func(m *gatepost.Moment) float64 { return m.Median.Seconds() })
	s.Note = fmt.Sprintf("by %s: 95 of 100 within the upper line (most %s at %s), half within the lower", n.Latency,
		period(time.Duration(top*float64(time.Second))), t.stepAt(n, at))
	s.Says = "Time to answer " + s.Note
	if p := n.Patience.Seconds(); p > 0 {
		if p <= 4*top {
			top = max(top, p)
		} else {
			s.Note += "; the proxy gives up at " + period(n.Patience)
		}
	}
	top *= 1.06
	if p := n.Patience.Seconds(); p > 0 && p <= top {
		s.Limit = &limit{s.Height - scaled(p, top, s.Height), "the proxy gives up at " + period(n.Patience)}
	}
	s.Marks = []mark{{"grey", steps(slow, top, s.Height)}, {"line", stepLine(slow, top, s.Height)}, {"thin", stepLine(half, top, s.Height)}}
	return s
}

// pictureRows is how many rows the picture has as a table.
const pictureRows = 48

// pictureTable is the picture in figures, several steps in a row.
func (t *tally) pictureTable(n *gatepost.Night) *table {
	heads := []string{"from", "#requests", "#failed"}
	if n.Odoo {
		heads = append(heads, "#busy workers")
	}
	if n.Latency != "" {
		heads = append(heads, "#half within", "#95 of 100 within")
	}
	list := newTable(heads...)
	each := (len(n.Moments) + pictureRows - 1) / pictureRows
	for i := 0; i < len(n.Moments); i += each {
		requests, failed := 0, 0
		busy, p50, p95 := 0.0, time.Duration(-1), time.Duration(-1)
		for _, m := range n.Moments[i:min(i+each, len(n.Moments))] {
			requests += m.Requests
			failed += sum(m.Failures)
			busy, p50, p95 = max(busy, m.Busy), max(p50, m.Median), max(p95, m.P95)
		}
		row := []string{t.stepAt(n, i), count(requests), count(failed)}
		if n.Odoo {
			row = append(row, fmt.Sprintf("%.1f", busy))
		}
		if n.Latency != "" {
			row = append(row, periodOr(p50), periodOr(p95))
		}
		list.row(row...)
	}
	return list
}

// periodOr says a duration, "–" where it is not known.
func periodOr(d time.Duration) string {
	if d < 0 {
		return "–"
	}
	return period(d)
}

// pageData is what the script of the page needs to know: the series of the picture.
type pageData struct {
	From    int64            `json:"from"` // Unix seconds
	Step    int64            `json:"step"` // seconds
	Zone    [][2]int64       `json:"zone"` // from which step on, how many seconds east of UTC
	Request []int            `json:"requests"`
	Busy    []float64        `json:"busy"`
	Median  []int64          `json:"median"` // ms, -1 for none
	P95     []int64          `json:"p95"`
	Causes  []string         `json:"causes"`
	Failure map[string][]int `json:"failures"` // by step, as Causes
	Workers int64            `json:"workers"`
}

func (t *tally) newPageData() *pageData {
	n := t.Night
	if n == nil || len(n.Moments) == 0 {
		return nil
	}
	d := &pageData{From: n.From.Second(), Step: int64(n.Step / time.Second), Workers: n.Workers, Failure: map[string][]int{}}
	for _, c := range n.Causes {
		d.Causes = append(d.Causes, t.shortCause(c))
	}
	for i := range n.Moments {
		m := &n.Moments[i]
		_, east := n.From.Add(n.Step * time.Duration(i)).Std().In(t.clock.zone).Zone()
		if len(d.Zone) == 0 || d.Zone[len(d.Zone)-1][1] != int64(east) {
			d.Zone = append(d.Zone, [2]int64{int64(i), int64(east)})
		}
		d.Request = append(d.Request, m.Requests)
		if sum(m.Failures) > 0 {
			d.Failure[strconv.Itoa(i)] = m.Failures
		}
		if n.Odoo {
			busy, _ := strconv.ParseFloat(strconv.FormatFloat(m.Busy, 'f', 1, 64), 64)
			d.Busy = append(d.Busy, busy)
		}
		if n.Latency != "" {
			d.Median, d.P95 = append(d.Median, milliseconds(m.Median)), append(d.P95, milliseconds(m.P95))
		}
	}
	return d
}

func milliseconds(d time.Duration) int64 {
	if d < 0 {
		return -1
	}
	return d.Milliseconds()
}
