package reports

import (
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
