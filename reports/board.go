package reports

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gatepost"
)

// Board is what a terminal shows of a live analysis: what is known now, the outages that are open, and the last changes. It is
// drawn whole from what stands here, so that it moves only when something happened: no clock runs on it.
type Board struct {
	Now     Now
	Sayings []Saying // the last ones
	Back    int      // rows that the reader has gone back from the last
	Paused  bool
	Unseen  int // sayings that came since it was paused
	Help    bool
}

// Now is what is known at a moment.
type Now struct {
	Began    gatepost.Time // when following began
	UpTo     gatepost.Time // stamp of the last line that was read
	Rate     float64       // requests a second
	Failures map[string]int64
	Workers  int     // 0 when it is not known how many there are
	Busy     float64 // of them, -1 when that is not known
	Open     []gatepost.Incident
	Logs     int
	Behind   []Lag
	Gaps     int64
}

// Lag is a log that was not read to its end yet.
type Lag struct {
	Path  string
	Bytes int64
	For   time.Duration
}

// Board draws a Board in at most height rows.
func (l *Live) Board(b *Board, height int, o Options) []string {
	height = max(height, 1)
	o.Width = max(o.Width, 1) // 0 would mean that nothing folds
	o.Color = o.Color && o.Width >= leastWidth
	rows := l.panel(b, o).draw(height)
	if o.Width < leastWidth { // without styles, so that they can be cut
		for i := range rows {
			rows[i] = clip(rows[i], o.Width)
		}
	}
	return rows
}

// Clamp brings Back within what there is to go back to.
func (l *Live) Clamp(b *Board, height int, o Options) {
	if b.Back <= 0 {
		b.Back = 0
		return
	}
	o.Width = max(o.Width, 1)
	s := l.panel(b, o)
	s.draw(max(height, 1))
	b.Back = max(0, min(b.Back, l.Rows(b.Sayings, o)-s.shown))
}

func (l *Live) panel(b *Board, o Options) *panel {
	return &panel{page: l.page(nil, o), tally: l.words(b.Now.UpTo, b.Now.Began), live: l, board: b, o: o}
}

// panel is a Board while it is drawn.
type panel struct {
	shown int // rows of sayings
	*page
	*tally
	live  *Live
	board *Board
	o     Options
}

// How many rows a terminal must have for the parts that can be missed.
const (
	rowsForKeys  = 8
	rowsForRules = 12
)

func (s *panel) draw(height int) []string {
	rows := s.now(max(1, min(3, height/4)))
	keys := s.keys(height)
	room := height - len(rows) - len(keys)
	var middle []string
	if s.board.Help {
		middle = s.help()
	} else if height > len(rows)+2 {
		middle = s.open(max(1, room*2/5), height)
	}
	if height >= rowsForRules {
		rows = append(rows, s.rule())
		if len(middle) > 0 && !s.board.Help {
			middle = append(middle, s.rule())
		}
	}
	rows = append(rows, middle...)
	if room = height - len(rows) - len(keys); room > 0 && !s.board.Help {
		rows = append(rows, s.stream(room)...)
	}
	rows = rows[:min(len(rows), height-len(keys))]
	for len(rows) < height-len(keys) {
		rows = append(rows, "")
	}
	return append(rows, keys...)
}

func (s *panel) rule() string { return s.paint(grey, strings.Repeat("─", s.width)) }

// now is what is known at this moment, in at most so many rows: how things go, and in a row of its own what failed, so that
// neither moves the other.
func (s *panel) now(limit int) []string {
	n := &s.board.Now
	goes := []string{perSecond(n.Rate)}
	if workers := s.workers(); workers != "" {
		goes = append(goes, workers)
	}
	goes = append(goes, s.logs())
	if n.Gaps > 0 {
		goes = append(goes, s.paint(bold, counted(n.Gaps, "gap", "gaps")))
	}
	failed := s.failed()
	if limit == 1 {
		return s.flow(append(append(failed[:1:1], goes...), failed[1:]...), 1)
	}
	rows := s.flow(goes, limit-1)
	return append(rows, s.flow(failed, limit-len(rows))...)
}

// failed says how many requests failed, and of what.
func (s *panel) failed() []string {
	n := &s.board.Now
	var all int64
	for _, k := range n.Failures {
		all += k
	}
	since := ""
	if known(n.Began) {
		since = " since " + s.clock.at(n.Began)
	}
	if all == 0 {
		return []string{"nothing failed" + since}
	}
	parts := []string{s.paint(bold, count(all)+" failed") + since}
	causes := slices.SortedFunc(maps.Keys(n.Failures), func(a, b string) int {
		return cmp.Or(cmp.Compare(n.Failures[b], n.Failures[a]), cmp.Compare(a, b))
	})
	for _, c := range causes {
		if n.Failures[c] > 0 {
			parts = append(parts, s.paint(causeColor(c), "● ")+causeLabel(c)+" "+count(n.Failures[c]))
		}
	}
	return parts
}

// causeLabel makes the name of a cause fit: the longest one that there is has 28 letters.
func causeLabel(s string) string { return clip(visible(s), 32) }

func perSecond(rate float64) string {
	switch {
	case !(rate >= 0.05):
		return "0 requests/s"
	case rate < 9.95:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", rate), ".0") + " requests/s"
	}
	return count(int64(rate+0.5)) + " requests/s"
}

func (s *panel) workers() string {
	n := &s.board.Now
	busy := strings.TrimSuffix(fmt.Sprintf("%.1f", n.Busy), ".0")
	switch {
	case n.Busy < 0 && n.Workers > 0:
		return counted(n.Workers, "worker", "workers")
	case n.Busy < 0:
		return ""
	case n.Workers > 0 && n.Busy >= float64(n.Workers)-0.05:
		return s.paint(bold, fmt.Sprintf("%s of %d workers busy", busy, n.Workers))
	case n.Workers > 0:
		return fmt.Sprintf("%s of %d workers busy", busy, n.Workers)
	}
	return busy + " workers busy"
}

// logs says how far reading has come.
func (s *panel) logs() string {
	n := &s.board.Now
	if len(n.Behind) == 0 {
		upTo := ""
		if known(n.UpTo) {
			upTo = " read to " + s.clock.at(n.UpTo)
		}
		return counted(n.Logs, "log", "logs") + upTo
	}
	var bytes int64
	var longest time.Duration
	for _, b := range n.Behind {
		bytes += b.Bytes
		longest = max(longest, b.For)
	}
	how := size(bytes)
	if longest >= time.Second {
		how = period(longest.Truncate(time.Second)) + ", " + how
	}
	return s.paint(bold, fmt.Sprintf("%d of %s behind", len(n.Behind), counted(n.Logs, "log", "logs"))) + " by " + how
}

// flow sets parts one behind the other in at most so many rows; of those that do not fit it says how many.
func (s *panel) flow(parts []string, limit int) []string {
	const between = "   "
	rows := []string{""}
	for i, part := range parts {
		last := &rows[len(rows)-1]
		more := 0
		if len(rows) == limit && i < len(parts)-1 {
			more = len(between) + len("+99")
		}
		switch {
		case *last == "":
			*last = part
		case columns(*last)+len(between)+columns(part)+more <= s.width:
			*last += between + part
		case len(rows) < limit:
			rows = append(rows, part)
		default:
			if rest := fmt.Sprintf("%s+%d", between, len(parts)-i); columns(*last)+len(rest) <= s.width {
				*last += rest
			}
			return rows
		}
	}
	return rows
}

// open tells the outages that go on, in at most so many rows: each in three where there is room, and in one where there are many.
func (s *panel) open(limit, height int) []string {
	list := slices.Clone(s.board.Now.Open)
	if len(list) == 0 {
		if height < rowsForRules {
			return nil
		}
		return []string{s.paint(grey, "no outage is open")}
	}
	if len(list) > limit {
		slices.SortStableFunc(list, func(a, b gatepost.Incident) int { return b.Failures - a.Failures })
	}
	each := min(3, max(1, limit/len(list)))
	var rows []string
	for i := range list {
		if len(list) > limit && i == limit-1 {
			left := "and " + counted(len(list)-i, "more outage is open", "more outages are open")
			if i == 0 {
				left = counted(len(list), "outage is open", "outages are open")
			}
			return append(rows, s.paint(grey, clip(left, s.width)))
		}
		rows = append(rows, s.outage(&list[i], each)...)
	}
	return rows
}

func (s *panel) outage(in *gatepost.Incident, rows int) []string {
	t := s.live.words(s.board.Now.UpTo, s.board.Now.Began, in.From)
	in = &t.clock.incidents([]gatepost.Incident{*in})[0]
	bullet := s.paint(causeColor(in.Cause), "● ")
	head := bullet + s.paint(bold, label(in.ID)) + "  "
	indent := strings.Repeat(" ", columns(head))
	sure := verdictLine(in.Cause, in.Confidence, gatepost.Final)
	first := "since " + t.clock.at(in.From) + "  " + cost(in)
	if s.width < roomy {
		indent = "  "
		first = count(in.Failures) + " failed"
	}
	if columns(head)+columns(visible(first))+2+columns(sure) > s.width {
		sure, _, _ = strings.Cut(sure, " (") // the word without the figure
	}
	first += "  " + sure
	all := []string{head + clip(visible(first), s.width-columns(head))}
	if rows > 2 || rows == 2 && len(in.Fix) == 0 {
		all = append(all, indent+clip(visible(t.causeAndInstance(in.Cause, in.Instance)), s.width-len(indent)))
	}
	if rows > 1 && len(in.Fix) > 0 {
		all = append(all, indent+s.paint(bold, "do: ")+clip(visible(in.Fix[0].Do), s.width-len(indent)-len("do: ")))
	}
	return all
}

// stream shows the last changes, or earlier ones when the reader has gone back.
func (s *panel) stream(room int) []string {
	b := s.board
	s.shown = room
	if len(b.Sayings) == 0 {
		return []string{s.paint(grey, clip("what fails is told here", s.width))}
	}
	var rows []string // from the last one up
	for i := len(b.Sayings) - 1; i >= 0 && len(rows) < room+b.Back; i-- {
		drawn := s.live.rows(&b.Sayings[i], s.o)
		slices.Reverse(drawn)
		rows = append(rows, drawn...)
	}
	from := max(0, min(b.Back, len(rows)-room))
	rows = rows[from:min(len(rows), from+room)]
	slices.Reverse(rows)
	return rows
}

// Rows counts the rows that sayings take.
func (l *Live) Rows(all []Saying, o Options) int {
	n := 0
	o.Width = max(o.Width, 1)
	for i := range all {
		n += len(l.rows(&all[i], o))
	}
	return n
}

// keys is the last row: what the reader can do, and whether what stands above is the latest. On a low terminal only that is said.
func (s *panel) keys(height int) []string {
	b := s.board
	row := s.paint(grey, clip("q quit   p pause   ↑ ↓ PgUp PgDn scroll   ? help", s.width))
	switch {
	case height < 3:
		return nil
	case b.Help:
		row = s.paint(grey, clip("? back   q quit", s.width))
	case b.Paused:
		row = s.paint(bold, "paused") + clip(", "+counted(b.Unseen, "change", "changes")+" since   p goes on", s.width-len("paused"))
	case b.Back > 0:
		row = s.paint(bold, clip(counted(b.Back, "row follows", "rows follow")+"   End goes there", s.width))
	case height < rowsForKeys:
		return nil
	}
	return []string{row}
}

var helpRows = []struct{ key, does string }{
	{"q, Ctrl-C", "quit: following ends"},
	{"p, space", "pause: what stands here stays, reading goes on"},
	{"↑ ↓, PgUp PgDn", "earlier and later changes"},
	{"Home, End", "the first change that is kept, and the latest"},
	{"?", "this page"},
}

var helpWords = []string{
	"● has the colour of a family of causes; the name of the cause stands beside it.",
	"A verdict is what the lines say that were read until now. When later lines say something else it is revised, with the line that made the difference.",
	"Of many alike, one is told and the others are counted. gatepost explain ID shows the whole argument for one.",
}

func (s *panel) help() []string {
	var rows []string
	const keys = 16
	for _, h := range helpRows {
		rows = append(rows, s.paint(bold, pad(h.key, keys))+clip(h.does, s.width-keys))
	}
	for _, w := range helpWords {
		rows = append(append(rows, ""), wrap(w, s.width, s.width, proseRows)...)
	}
	return rows
}
