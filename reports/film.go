package reports

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gatepost"
)

// filmLabel is the width of the names before the rows of a film.
const filmLabel = 14

// film draws who held the workers: a row a worker, a column a stretch of time, and above them how
// many of the incident's requests were waiting. f is marked when it is not nil.
func (p *page) film(t *tally, in *gatepost.Incident, f *gatepost.Failure) {
	film := in.Film
	if film == nil || len(film.Rows) == 0 || film.To <= film.From {
		return
	}
	p.part("Who held the workers")
	cols := p.width - filmLabel - 3
	strip := make([]rune, cols)
	held := strings.NewReplacer("█", p.paint(causeColor(in.Cause), "█"))
	draw := func(label string) { p.line("  " + pad(label, filmLabel) + held.Replace(string(strip))) }
	fill := func(r rune) {
		for i := range strip {
			strip[i] = r
		}
	}
	paint := func(from, to gatepost.Time, r rune) {
		a, b := film.Column(from, cols), film.Column(to, cols)
		for i := max(a, 0); i <= b && i < cols; i++ {
			strip[i] = r
		}
	}
	begin, end := t.clock.at(film.From), t.clock.at(film.To)
	if gap := cols - columns(begin) - columns(end); gap > 0 {
		begin += strings.Repeat(" ", gap) + end
	}
	p.line("  " + pad("", filmLabel) + clip(begin, cols))
	waiting := make([]int, cols)
	for _, m := range t.waits[in.ID] {
		for i := max(film.Column(m.from, cols), 0); i <= film.Column(m.to, cols) && i < cols; i++ {
			waiting[i]++
		}
	}
	fill(' ')
	for i, n := range waiting {
		switch {
		case n > 9:
			strip[i] = '+'
		case n > 0:
			strip[i] = rune('0' + n)
		}
	}
	draw("waiting")
	if f != nil && known(f.Start) {
		fill(' ')
		paint(f.Start, f.Time, '─')
		draw("this one")
	}
	for _, row := range film.Rows {
		fill(' ')
		paint(row.From, row.To, '·')
		for _, b := range row.Busy {
			paint(b.From, b.To, busySign(b))
		}
		if row.Killed {
			paint(row.To, row.To, '×')
		}
		draw("worker " + strconv.Itoa(row.PID))
	}
	p.para("  "+p.paint(causeColor(in.Cause), "█")+" ", "a request that failed or was held up, ▒ an ordinary one, · free, × killed", proseRows)
}

func busySign(b gatepost.FilmSpan) rune {
	if b.Failed || b.Cause != "" {
		return '█'
	}
	return '▒'
}

// filmBox is a film as rows of SVG, each filmSteps wide.
type filmBox struct {
	From, To string
	Waiting  string // a path
	Most     string
	Steps    int
	Rows     []filmLine
	More     string
	Hue      string
}

type filmLine struct {
	PID    string
	Life   string // a path
	Killed string // percent, "" when it was not
	Works  []mark
	Says   string
}

// filmSteps is how finely a film is drawn.
const filmSteps = 600

func (t *tally) newFilm(in *gatepost.Incident) *filmBox {
	film := in.Film
	if film == nil || len(film.Rows) == 0 || film.To <= film.From {
		return nil
	}
	b := &filmBox{From: t.clock.at(film.From), To: t.clock.at(film.To), Steps: filmSteps, Hue: causeHue(in.Cause)}
	waiting := make([]float64, filmSteps)
	most := 0.0
	for _, m := range t.waits[in.ID] {
		for i := max(film.Column(m.from, filmSteps), 0); i <= film.Column(m.to, filmSteps) && i < filmSteps; i++ {
			waiting[i]++
			most = max(most, waiting[i])
		}
	}
	if most > 0 {
		b.Waiting, b.Most = steps(waiting, most, filmWaiting), "up to "+count(int(most))
	}
	a := axis{film.From, film.To.Sub(film.From), 1}
	column := func(t gatepost.Time) int { return int(a.at(t) * filmSteps) }
	spans := 0
	for i, row := range film.Rows {
		if i == pageWorkers || spans > pageSpans {
			b.More = "and " + counted(len(film.Rows)-i, "more worker", "more workers")
			break
		}
		line := filmLine{PID: strconv.Itoa(row.PID), Life: bars(6, 2, column(row.From), column(row.To))}
		if row.Killed {
			line.Killed = percentOf(min(a.at(row.To), 0.99), 1)
		}
		failed, held, ordinary := 0, 0, 0
		paths := map[string]string{}
		for _, s := range row.Busy {
			class := "grey"
			switch {
			case s.Failed:
				failed++
				class = causeHue(cmp.Or(s.Cause, in.Cause)) + " failed"
			case s.Cause != "":
				held++
				class = causeHue(s.Cause)
			default:
				ordinary++
			}
			if s.To > s.From && s.From <= film.To && s.To >= film.From && spans <= pageSpans {
				spans++
				paths[class] += bars(1, 12, column(s.From), column(s.To))
			}
		}
		for _, class := range slices.Sorted(maps.Keys(paths)) {
			line.Works = append(line.Works, mark{class, paths[class]})
		}
		line.Says = fmt.Sprintf("%d at work on requests that failed, %d on slow ones, %d on ordinary ones", failed, held, ordinary)
		if row.Killed {
			line.Says += ", killed at " + t.clock.at(row.To)
		}
		b.Rows = append(b.Rows, line)
	}
	return b
}

// bars draws a bar from one column to another, at least one wide.
func bars(y, height, from, to int) string {
	width := max(to-from, 1)
	return fmt.Sprintf("M%d %dh%dv%dh-%dz", from, y, width, height, width)
}

const filmWaiting = 24 // pixels
