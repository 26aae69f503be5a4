package reports

import (
	"cmp"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"gatepost"
)

// Stream tells a live analysis in lines for people, a change at a time. What there are hundreds of it counts: see Digest.
type Stream struct {
	w      io.Writer
	live   *Live
	o      Options
	digest Digest
	day    string
}

// NewStream makes a Stream. Options.Width 0 means that lines are not folded, for output that is no terminal: there a failure is
// one line whatever its length, so that grep finds it whole.
func NewStream(w io.Writer, l *Live, o Options) *Stream { return &Stream{w: w, live: l, o: o} }

// Change writes what is to be said of a change now.
func (s *Stream) Change(c *gatepost.Change) error { return s.write(s.digest.Change(c)) }

// Tick writes what was held back until now.
func (s *Stream) Tick(now gatepost.Time) error { return s.write(s.digest.Tick(now)) }

// Done writes all that is held back.
func (s *Stream) Done() error { return s.write(s.digest.Rest()) }

func (s *Stream) write(all []Saying) error {
	for i := range all {
		p := s.live.page(s.w, s.o)
		s.date(p, all[i].Time)
		for _, row := range s.live.rows(&all[i], s.o) {
			p.line(row)
		}
		if err := p.done(); err != nil {
			return err
		}
	}
	return nil
}

// date writes the day and the zone once a day, so that the other lines need only the time.
func (s *Stream) date(p *page, t gatepost.Time) {
	if !known(t) {
		return
	}
	if day := t.Std().In(s.live.zone).Format("2 January 2006"); day != s.day {
		s.day = day
		c := s.live.words(t).clock
		p.line(p.paint(grey, clip("── "+day+", times in "+c.zones()+" ──", p.width)))
	}
}

const (
	unfolded  = 1 << 20 // columns that no line has
	longest   = 500     // columns that a stranger's text may take where nothing folds; --format ndjson has it whole
	roomy     = 60      // columns from which further rows stand behind the time, and not below it
	narrowest = 20      // columns for which rows are laid out
	deepest   = 8       // columns that further rows of one text stand in at most
	rootRows  = 2       // rows that the line may take that shows a cause
	leastPath = 24      // columns from which a path may be folded to stand beside its client
)

func (l *Live) page(w io.Writer, o Options) *page {
	p := newPage(w, o)
	p.width = max(o.Width, narrowest)
	if o.Width == 0 {
		p.width = unfolded
	}
	return p
}

// telling is one saying on its way to rows.
type telling struct {
	*page
	*tally
	time  string
	parts []part
}

// part is a text of strangers, with what stands before it, which is the program's own and may be painted.
type part struct {
	head, text string
	limit      int // rows that it may take
}

func (t *telling) add(head, text string, limit int) {
	t.parts = append(t.parts, part{head, text, limit})
}

// rows draws one saying.
func (l *Live) rows(s *Saying, o Options) []string {
	t := l.telling(s, o)
	switch {
	case s.Failure != nil && s.More > 0:
		t.many(s)
	case s.Failure != nil:
		t.request(s)
	case s.Incident != nil:
		t.incident(s)
	case s.Kind == gatepost.Missed:
		text := s.Text
		if text == "" && s.Gap != nil {
			text = t.gapLine(s.Gap)
		}
		t.add(t.paint(bold, "gap")+"  ", t.clock.tell(text), 4)
	default:
		t.add(t.paint(bold, "note")+"  ", t.clock.tell(s.Text), 4)
	}
	return t.lay(s)
}

// telling prepares for a saying: its times and the sentences in it are told in the zone, as of its moment.
func (l *Live) telling(s *Saying, o Options) *telling {
	at, times := s.Time, []gatepost.Time{s.Time}
	if s.Failure != nil && s.More == 0 {
		at = s.Failure.Time
		times = append(times, at)
	}
	if in := s.Incident; in != nil && s.Failure == nil {
		times = append(times, in.From, in.To)
	}
	t := &telling{page: l.page(nil, o), tally: l.words(times...), time: strings.Repeat(" ", len("15:04:05"))}
	if known(at) {
		t.time = t.clock.at(at)
	}
	return t
}

// request tells a failing request, for the first time or because its verdict is another one now.
func (t *telling) request(s *Saying) {
	f := t.clock.failure(s.Failure)
	t.called(s, f)
	v := &f.Verdict
	bullet, verdict := t.paint(causeColor(v.Cause), "● "), t.sure(s, v.Cause, v.Instance, v.Confidence)
	if s.Kind != gatepost.Revised {
		t.add(bullet, verdict, 3)
		return
	}
	t.was(s.Was)
	t.add(t.paint(bold, "now: ")+bullet, verdict, 3)
	if e := s.Because; e != nil {
		limit := rootRows
		if s.Known {
			limit = 1
		}
		t.add("because of ", t.cited(e.Ref, e.Text, e.Says), limit)
	}
}

// was adds what was said before.
func (t *telling) was(v *gatepost.Verdict) {
	if v != nil {
		t.add("was: "+t.paint(causeColor(v.Cause), "● "), verdictLine(v.Cause, v.Confidence, gatepost.Final), 1)
	}
}

// sure says a verdict: briefly where it stands in rows above already, but not where each line must stand for itself.
func (t *telling) sure(s *Saying, cause, instance string, confidence float64) string {
	verdict := verdictLine(cause, confidence, gatepost.Final)
	if s.Known && t.width != unfolded {
		return verdict
	}
	if what := t.causeAndInstance(cause, instance); what != cause { // "undetermined" is said already
		verdict += ": " + what
	}
	return verdict
}

// called adds which request it is: status, method and path, client. The path is folded, so that the client stands beside it.
func (t *telling) called(s *Saying, f *gatepost.Failure) {
	head := strconv.Itoa(f.Status) + "  "
	if s.Kind == gatepost.Revised {
		head = t.paint(bold, "revised") + "  " + head
	}
	what, client := visible(f.Method+" "+f.Path), clip(visible(f.Client), len("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"))
	room := t.width - columns(t.time) - 2 - columns(head) - 2 - columns(client)
	switch {
	case t.width == unfolded:
		t.add(head, clip(what, longest)+"  "+client, 1)
	case room < leastPath && columns(what) > room:
		t.add(head, client, 1)
		t.add("", foldPath(what, t.width-2), 1)
	default:
		t.add(head, foldPath(what, room)+"  "+client, 1)
	}
}

// foldPath makes a method and a path fit into n columns: it leaves out values first, and then the middle, since the end of a path of
// Odoo tells more of it.
func foldPath(what string, n int) string {
	if path, values, ok := strings.Cut(what, "?"); ok && values != "" && columns(what) > n {
		what = path + "?…"
	}
	if columns(what) <= n {
		return what
	}
	head, rest := splitAt(what, n/2)
	for n -= columns(head) + 1; rest != "" && columns(rest) > n; {
		_, size := utf8.DecodeRuneInString(rest)
		rest = rest[size:]
	}
	return head + "…" + rest
}

// many tells requests that are counted, the last of which is at hand.
func (t *telling) many(s *Saying) {
	v := &s.Failure.Verdict
	more := "and " + count(s.More) + " more like it"
	if s.Kind == gatepost.Revised {
		more = "and " + count(s.More) + " more revised alike"
	}
	now := v.Cause
	if s.Kind == gatepost.Revised && s.Was != nil {
		now = s.Was.Cause + ", now " + v.Cause
	}
	if id := cmp.Or(incidentID(s.Incident), s.Failure.Incident); id != "" {
		now += "  " + label(id)
	}
	if in := s.Incident; in != nil && in.Failures > 0 {
		now += ": " + count(in.Failures) + " failed"
	}
	t.add(more+"  "+t.paint(causeColor(v.Cause), "● "), now, 2)
}

func incidentID(in *gatepost.Incident) string {
	if in == nil {
		return ""
	}
	return in.ID
}

// cost says what an incident cost until now: "41 failed, 12 people".
func cost(in *gatepost.Incident) string {
	s := count(in.Failures) + " failed"
	if in.Clients > 0 {
		s += ", " + people(in.Clients)
	}
	return s
}

// incident tells that an incident began, grew, is another one than it seemed, or is over.
func (t *telling) incident(s *Saying) {
	in := &t.clock.incidents([]gatepost.Incident{*s.Incident})[0]
	head := t.paint(bold, label(in.ID)) + "  "
	bullet := t.paint(causeColor(in.Cause), "● ")
	switch s.Kind {
	case gatepost.Grown:
		t.add(head, "goes on since "+t.clock.at(in.From)+": "+cost(in), 2)
	case gatepost.Closed:
		t.add(head, "is over: "+t.clock.span(in.From, in.To)+", "+cost(in), 3)
	case gatepost.Altered:
		t.add(head, "another cause than was said: "+cost(in), 2)
		t.was(s.Was)
		bullet = t.paint(bold, "now: ") + bullet
	default:
		began := "an outage began at " + t.clock.at(in.From)
		if in.Failures > 0 {
			began += ": " + cost(in)
		}
		t.add(head, began, 2)
	}
	t.add(bullet, t.sure(s, in.Cause, in.Instance, in.Confidence), 3)
	if s.Kind == gatepost.Grown || s.Kind == gatepost.Closed {
		return
	}
	t.root(in)
	if len(in.Fix) > 0 {
		t.add(t.paint(bold, "do: "), in.Fix[0].Do, 2)
	}
}

// root adds the line that shows what an incident came from: that of its first step, or else the first that speaks for its cause.
func (t *telling) root(in *gatepost.Incident) {
	for _, step := range in.Chain {
		if step.Ref.Known() {
			t.add("", t.cited(step.Ref, step.Text, step.Says), rootRows)
			return
		}
	}
	for i := range in.Evidence {
		if e := &in.Evidence[i]; e.Role == gatepost.For && e.Ref.Known() {
			t.add("", t.cited(e.Ref, e.Text, e.Says), rootRows)
			return
		}
	}
}

// cited is a line with its place, or what it says where the line is not at hand.
func (t *telling) cited(r gatepost.Ref, text, says string) string {
	first, _, _ := strings.Cut(strings.TrimRight(text, "\r\n"), "\n")
	return strings.TrimPrefix(t.where(r)+": ", ": ") + cmp.Or(strings.TrimSuffix(first, "\r"), says)
}

// lay makes rows of the parts: the first behind the time, the others below it.
func (t *telling) lay(s *Saying) []string {
	if t.width == unfolded && s.Failure != nil {
		return []string{t.inOne()}
	}
	if s.Known && s.Kind == gatepost.Failed && len(t.parts) == 2 { // what is known already stands beside the request where it fits
		if row := t.inOne(); columns(row) <= t.width {
			return []string{row}
		}
	}
	indent := "  "
	if t.width >= roomy {
		indent = strings.Repeat(" ", columns(t.time)+2)
	}
	var rows []string
	for i, part := range t.parts {
		head := indent + part.head
		if i == 0 {
			head = t.paint(grey, t.time) + "  " + part.head
		}
		rest := indent + strings.Repeat(" ", columns(part.head))
		if i == 0 || part.head == "" || columns(part.head) > deepest {
			rest = indent + "  "
		}
		if columns(head) > t.width*2/3 { // no room beside it
			rows = append(rows, strings.TrimRight(head, " "))
			head = rest
		}
		room, limit := t.width, part.limit
		if t.width == unfolded {
			room, limit = longest, 1
		}
		for j, row := range wrap(visible(part.text), max(1, room-columns(head)), room-columns(rest), limit) {
			if j > 0 {
				head = rest
			}
			rows = append(rows, strings.TrimRight(head+row, " "))
		}
	}
	return rows
}

// inOne is all parts in one row.
func (t *telling) inOne() string {
	row := t.paint(grey, t.time)
	for _, part := range t.parts {
		row += "  " + part.head + clip(visible(part.text), 2*longest)
	}
	return strings.TrimRight(row, " ")
}
