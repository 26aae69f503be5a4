package reports

import (
	"fmt"
	"slices"
	"strings"

	"gatepost"
)

// headlineLimit bounds a headline inside a sentence, in columns.
const headlineLimit = 160

// answer is what the reader came for, in a few sentences. Names in it are as the logs have them.
func (t *tally) answer() string {
	if t.failures == 0 {
		return t.answerWithoutFailures()
	}
	var b strings.Builder
	b.WriteString(counted(t.failures, "request failed", "requests failed"))
	if t.clients > 0 {
		b.WriteString(" for " + counted(t.clients, "person", "people"))
	}
	if n := len(t.Incidents); n > 0 {
		b.WriteString(" in " + inWords(n, "outage", "outages"))
	}
	b.WriteString(".")
	t.sayWhatHappened(&b)
	if n := t.undetermined(); t.muchUndetermined(n) {
		fmt.Fprintf(&b, " For %s the logs do not decide the cause.", ofThem(n, t.failures))
	}
	if n := len(t.Outages); n > 0 {
		fmt.Fprintf(&b, " Besides, there was other trouble%s.", t.feltBy())
	}
	if t.Missed > 0 {
		b.WriteString(" " + counted(t.Missed, "more request", "more requests") + " ended with " + t.watched(" or ") + ": no analysis has judged " + itOrThem(t.Missed) + ".")
	}
	return b.String()
}

func itOrThem(n int64) string {
	if n == 1 {
		return "it"
	}
	return "them"
}

func ofThem(n, all int) string {
	if n == all {
		return "all of them"
	}
	return fmt.Sprintf("%s of them (%s)", count(n), percent(int64(n), int64(all)))
}

func (t *tally) undetermined() int {
	for _, c := range t.causes {
		if c.name == gatepost.Undetermined {
			return c.failures
		}
	}
	return 0
}

// story is the incidents of one cause, or a single one: what the answer tells in a sentence.
type story struct {
	first     *gatepost.Incident
	incidents int
	failures  int
}

// stories are the incidents, the largest first; of more than three, those of one cause together.
func (t *tally) stories() []story {
	var all []story
	at := map[string]int{}
	for i := range t.Incidents {
		in := &t.Incidents[i]
		n, seen := at[in.Cause]
		if !seen || len(t.Incidents) <= maxStories {
			n = len(all)
			at[in.Cause] = n
			all = append(all, story{first: in})
		}
		all[n].incidents++
		all[n].failures += in.Failures
	}
	slices.SortStableFunc(all, func(a, b story) int { return b.failures - a.failures })
	return all
}

// maxStories is how many outages the answer tells one by one.
const maxStories = 3

// sayWhatHappened tells the largest incidents, each in a sentence.
func (t *tally) sayWhatHappened(b *strings.Builder) {
	stories := t.stories()
	told := stories[:min(len(stories), maxStories)]
	for _, s := range told {
		head := t.headline(s.first)
		if s.incidents > 1 {
			head = t.title(s.first.Cause)
		}
		head = clip(visible(head), headlineLimit)
		switch {
		case s.incidents > 1:
			head += fmt.Sprintf(" (%s, %s)", counted(s.incidents, "outage", "outages"), counted(s.failures, "request", "requests"))
		case len(stories) > 1:
			head += " (" + counted(s.failures, "request", "requests") + ")"
		}
		b.WriteString(" " + sentence(head))
	}
	incidents, failures := 0, 0
	for _, s := range stories[len(told):] {
		incidents += s.incidents
		failures += s.failures
	}
	if incidents > 0 {
		more := inWords(incidents, "more outage", "more outages") + ": " + counted(failures, "request", "requests")
		b.WriteString(" " + sentence(more))
	}
}

func (t *tally) answerWithoutFailures() string {
	var s string
	switch {
	case len(t.Sources) == 0:
		return "No failures could be counted, because no access log was found: nothing was read."
	case !t.hasAccessLog():
		s = "No failures could be counted, because no access log was found. Only the access log of nginx, HAProxy or Traefik says which requests ended with " +
			t.watched(" or ") + "; add it and run again."
	case t.Missed > 0:
		s = counted(t.Missed, "request", "requests") + " ended with " + t.watched(" or ") + ": no analysis has judged " + itOrThem(t.Missed) + "."
	case t.Requests == 0:
		s = "No failures could be counted, because the access log holds no requests of that time."
	case t.Requests == 1:
		s = "The one request that the access log holds did not end with " + t.watched(" or ") + "."
	case t.caution() != "" || len(t.Outages) > 0:
		s = "None of the " + count(t.Requests) + " requests " + t.ofThatTime() + " ended with " + t.watched(" or ") + "."
	default:
		s = "None of " + count(t.Requests) + " requests ended with " + t.watched(" or ") + "." + t.otherErrors()
	}
	if n := len(t.Outages); n > 0 {
		s += " But there was other trouble" + t.feltBy() + "."
		for i := range t.Outages[:min(n, 3)] {
			s += " " + sentence(clip(visible(t.headline(&t.Outages[i])), headlineLimit))
		}
	}
	return s
}

// window is the time that the report was asked for, "" without bounds.
func (t *tally) window() string {
	switch {
	case known(t.Since) && known(t.Until):
		return t.clock.spanWith(t.clock.full, t.Since, t.Until)
	case known(t.Since):
		return "from " + t.clock.full(t.Since) + " on"
	case known(t.Until):
		return "up to " + t.clock.full(t.Until)
	}
	return ""
}

// ofThatTime says which requests are meant.
func (t *tally) ofThatTime() string {
	if t.window() != "" {
		return "of the time that was asked for"
	}
	return "that were read"
}

// otherErrors says which statuses of a server's trouble stand in the access log although none is a
// failure: a night without failures need not have been a good one.
func (t *tally) otherErrors() string {
	var seen []statusCount
	for status, n := range t.Model.Statuses {
		if status >= 499 && n > 0 {
			seen = append(seen, statusCount{status, int(n)})
		}
	}
	if len(seen) == 0 {
		return " All is well."
	}
	slices.SortFunc(seen, func(a, b statusCount) int { return a.status - b.status })
	var words []string
	for _, x := range seen {
		words = append(words, fmt.Sprintf("%d × %s", x.status, count(x.n)))
	}
	return " Users saw " + strings.Join(words, ", ") + "."
}

// feltBy says in how many of the outages users saw errors.
func (t *tally) feltBy() string {
	felt := 0
	for i := range t.Outages {
		if len(t.Outages[i].Statuses) > 0 {
			felt++
		}
	}
	if felt == 0 {
		return ", though users saw no errors of it"
	}
	return ": users saw errors in " + inWords(felt, "outage", "outages")
}

// fact is a figure with what it is.
type fact struct{ label, value string }

// facts are the figures beside the answer.
func (t *tally) facts() []fact {
	var all []fact
	add := func(label, value string) {
		if value != "" {
			all = append(all, fact{label, value})
		}
	}
	if t.failures > 0 {
		add(t.failedLabel(), t.howMany())
		if t.clients > 0 {
			add("people", counted(t.clients, "client address", "different client addresses"))
		}
		add("when", t.clock.span(t.first, t.last))
	}
	if window := t.window(); window != "" {
		add("asked for", window)
	}
	if known(t.From) || known(t.To) {
		add("access log", t.clock.spanWith(t.clock.full, t.From, t.To))
	}
	if known(t.clock.from) {
		add("times in", t.clock.zones())
	}
	add("caution", t.caution())
	return all
}

func (t *tally) failedLabel() string {
	if len(t.watchedList()) > 3 {
		return "failed"
	}
	return t.watched("/")
}

func (t *tally) howMany() string {
	s := count(t.failures)
	if t.Requests >= int64(t.failures) {
		s += fmt.Sprintf(" of %s (%s)", counted(t.Requests, "request", "requests"), percent(int64(t.failures), t.Requests))
	}
	return s + ": " + statusList(t.statuses)
}

// caution counts what was given but not read, so that nobody trusts the figures too far.
func (t *tally) caution() string {
	var stopped, strange int
	var unparsed int64
	for _, s := range t.read {
		switch {
		case s.Problem != "":
			stopped++
		case s.Format == "" && s.Strand == "":
			strange++
		case s.Format == "":
			// Lines of a program beside those that matter.
		default:
			unparsed += s.Unparsed
		}
	}
	var parts []string
	if stopped > 0 {
		parts = append(parts, counted(stopped, "log was not read to its end", "logs were not read to their end"))
	}
	if unparsed > 0 {
		parts = append(parts, counted(unparsed, "line was not understood", "lines were not understood"))
	}
	if strange > 0 {
		parts = append(parts, counted(strange, "file was not recognised as a log", "files were not recognised as logs"))
	}
	if t.Missed > 0 {
		parts = append(parts, counted(t.Missed, "failure has no verdict", "failures have no verdict"))
	}
	if len(t.Unjudged) > 0 {
		parts = append(parts, "a part of the time was not judged")
	}
	if n := len(t.Gaps); n > 0 {
		parts = append(parts, counted(n, "gap in the logs", "gaps in the logs"))
	}
	return strings.Join(parts, ", ")
}

// notes are what the reader should know, what no analysis has judged first.
func (t *tally) notes() []string {
	var all []string
	for i := range t.Unjudged {
		u := &t.Unjudged[i]
		all = append(all, "no analysis has judged "+t.clock.spanWith(t.clock.full, u.From, u.To)+", with "+counted(u.Requests, "request", "requests")+" of which "+
			count(u.Failures)+" ended with "+t.watched(" or ")+": of that time this report tells neither causes nor other trouble")
	}
	if n := len(t.Sources) - len(t.read); n > 0 {
		all = append(all, counted(n, "log of other times is", "logs of other times are")+" in the store and not listed here")
	}
	for _, note := range t.Notes {
		all = append(all, tellWith(t.clock.full, note)) // it may be about other days than the report
	}
	return all
}

// people says how many were hit, "" when no address is known.
func people(clients int) string {
	if clients == 0 {
		return ""
	}
	return counted(clients, "person", "people")
}

// toll says what an incident cost, and what else users saw in its time: "398 requests failed for
// 61 people: 504 × 398. In the same time: 499 × 12."
func (t *tally) toll(i *gatepost.Incident) string {
	var failed, others []statusCount
	for _, s := range sortedStatuses(i.Statuses) {
		if i.Failures > 0 && slices.Contains(t.watchedList(), s.status) {
			failed = append(failed, s)
		} else {
			others = append(others, s)
		}
	}
	if i.Failures == 0 {
		if len(others) == 0 {
			return ""
		}
		return "Users saw " + statusList(others) + "."
	}
	said := counted(i.Failures, "request failed", "requests failed")
	if i.Clients > 0 {
		said += " for " + people(i.Clients)
	}
	if len(failed) > 0 {
		said += ": " + statusList(failed)
	}
	if len(others) > 0 {
		said += ". In the same time: " + statusList(others)
	}
	return said + "."
}

// verdict says a cause with how sure it is, in words: "long_cron, certain (0.98): a scheduled
// action held what the requests needed: «Inventory: Run Scheduler»".
func (t *tally) verdict(i *gatepost.Incident) string {
	return verdictLine(i.Cause, i.Confidence, i.State) + ": " + t.causeAndInstance(i.Cause, i.Instance)
}

func verdictLine(cause string, confidence float64, state gatepost.State) string {
	sure := certainty(cause, confidence, state)
	if cause == gatepost.Undetermined || cause == "" {
		return sure
	}
	return cause + ", " + sure
}

// rivalWords says how likely a rival is and why it lost.
func rivalWords(r *gatepost.Rival) string {
	s := "(" + figure(r.Confidence) + "): " + r.WhyNot
	if r.Instance != "" {
		s += " (" + r.Instance + ")"
	}
	return s
}

// rivalsTitle is what the rivals of a verdict are: without a verdict none has lost.
func rivalsTitle(cause string) string {
	if cause == gatepost.Undetermined {
		return "What it may have been"
	}
	return "What else was considered"
}

// sourceLines says what was read of a source and how far it can be trusted.
func (t *tally) sourceLines(s *gatepost.Source) []string {
	format := "not recognised as a log"
	if s.Format != "" {
		format = strings.ReplaceAll(s.Format, "_", " ")
		if s.Dialect != "" {
			format += " (" + s.Dialect + ")"
		}
	}
	if s.Strand != "" {
		format += " of " + s.Strand
	}
	first := format + ", " + counted(s.Lines, "line", "lines") + ", " + size(s.Bytes)
	if share := understoodShare(s); share != "" {
		first += ", " + share
	}
	if s.Host != "" {
		first += ", from host " + s.Host
	}
	lines := []string{first}
	if span := t.sourceSpan(s); span != "" {
		lines = append(lines, span)
	}
	if how := clockOf(s); how != "" {
		lines = append(lines, how)
	}
	if s.Problem != "" {
		lines = append(lines, "not read to its end: "+s.Problem)
	}
	return lines
}

func (t *tally) sourceSpan(s *gatepost.Source) string {
	if !placed(s) {
		return ""
	}
	return t.clock.spanWith(t.clock.full, s.Clock.At(s.First), s.Clock.At(s.Last))
}

// placed reports whether the stamps of a source stand on the common clock.
func placed(s *gatepost.Source) bool {
	if !known(s.First) || !known(s.Last) || s.Stamps == gatepost.StampsNone {
		return false
	}
	return s.Stamps != gatepost.StampsBoot || s.Clock.Shift != 0 || len(s.Clock.Steps) > 0
}

// clockOf says which zone a source's stamps are in, how that was found, and what was added to
// bring them to UTC.
func clockOf(s *gatepost.Source) string {
	if s.Stamps == gatepost.StampsBoot && !placed(s) {
		return "stamps since boot, and the time of the boot is not known"
	}
	if s.Clock.Zone == "" && s.Clock.How == "" && s.Clock.Shift == 0 {
		return ""
	}
	parts := []string{"zone " + orUnknown(s.Clock.Zone)}
	if s.Clock.How != "" {
		parts[0] += " (" + s.Clock.How + ")"
	}
	switch d := s.Clock.Shift; {
	case s.Stamps == gatepost.StampsBoot:
	case d > 0:
		parts = append(parts, "stamps moved forward by "+period(d))
	case d < 0:
		parts = append(parts, "stamps moved back by "+period(-d))
	}
	if len(s.Clock.Steps) > 0 {
		parts = append(parts, counted(len(s.Clock.Steps), "change of the hour", "changes of the hour"))
	}
	return strings.Join(parts, ", ")
}

func orUnknown(s string) string {
	if s == "" {
		return "not known"
	}
	return s
}

// gapLine says which source is silent when, and why that matters.
func (t *tally) gapLine(g *gatepost.Gap) string {
	return t.file(g.Source) + ", " + t.clock.span(g.From, g.To) + ": " + g.Why
}

// imprint says what made the report, and when.
func (t *tally) imprint() string {
	s := "gatepost"
	if t.Version != "" {
		s += " " + t.Version
	}
	if known(t.Made) {
		s += ", report made " + t.clock.exact(t.Made)
	}
	return s
}
