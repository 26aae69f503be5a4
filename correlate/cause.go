package correlate

import (
	"slices"
	"strings"

	"gatepost"
)

// Cause is one reason why a request fails: a constant value that carries its own documentation
// and speaks for itself in the situations that it can explain. A nil function says that it never
// explains such a situation: that is physics, not opinion. A worker's death cannot make a port
// refuse connections, so worker_crash has no Down.
type Cause struct {
	Name  string
	Title string
	Doc   string

	// Down argues why the service was not there.
	Down func(s *scene, d *downtime) []Hypothesis
	// Death argues why a process ended in the middle of a request.
	Death func(s *scene, d *death) []Hypothesis
	// Work argues why one execution took so long.
	Work func(s *scene, w *work) []Hypothesis
	// Case argues about one failing request, where none of the above fits.
	Case func(s *scene, c *Case) []Hypothesis

	// Fix says what to change, with the figures of this installation.
	Fix func(w *world, g *group) []gatepost.Advice
}

// Hypothesis is a cause with the instance that would have done it, and the argument.
type Hypothesis struct {
	Cause    string
	Instance string              // "kernel killed pid 23976 (odoo: WorkerHTT)"
	Key      string              // failures with one key have one root, and one incident
	Via      string              // how it reached the request
	Veto     string              // why it cannot be; it is then only shown as a rival
	Evidence []gatepost.Evidence // for and against, with weights
	Missing  []string            // what would have decided better
	Root     gatepost.Step       // the change of state

	score   int
	since   gatepost.Time   // of what keeps the service down: since when it is known to have been so; 0 of what ends it
	backend *gatepost.Event // the kill of a process of PostgreSQL's
	down    *downtime
	death   *death
	work    *work
	hold    *lockHold
	cron    *cronRun
}

var causes []*Cause

// register adds a cause; two of one name are a programming error.
func register(c Cause) *Cause {
	if c.Name == "" || c.Title == "" || c.Doc == "" || c.Fix == nil {
		panic("correlate: incomplete cause " + c.Name)
	}
	if lookup(c.Name) != nil {
		panic("correlate: cause " + c.Name + " registered twice")
	}
	causes = append(causes, &c)
	slices.SortFunc(causes, func(a, b *Cause) int { return strings.Compare(a.Name, b.Name) })
	return &c
}

func lookup(name string) *Cause {
	for _, c := range causes {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Docs returns what every cause is, by name.
func Docs() []gatepost.CauseDoc {
	docs := make([]gatepost.CauseDoc, 0, len(causes))
	for _, c := range causes {
		docs = append(docs, gatepost.CauseDoc{Name: c.Name, Title: c.Title, Doc: c.Doc})
	}
	return docs
}

// weight is the sum of the evidence of a hypothesis, in milli-bans. Integers make it exact and
// independent of the order in which evidence came.
func (h *Hypothesis) weight() int {
	sum := 0
	for _, e := range h.Evidence {
		sum += e.Weight
	}
	return sum
}

// sees notes that what keeps the service down was at work at t.
func (h *Hypothesis) sees(t gatepost.Time) {
	if t.Known() && (h.since == 0 || t < h.since) {
		h.since = t
	}
}

// cap holds the weight of a hypothesis to no more than weight above the leak, for a reason that is counted
// against it.
func (h *Hypothesis) cap(weight int, why string) {
	if over := h.weight() - leak - weight; over > 0 {
		h.Evidence = append(h.Evidence, absence(gatepost.Against, -over, why))
	}
}

// strongest returns the evidence of a role with the greatest weight either way, or nil.
func (h *Hypothesis) strongest(role gatepost.Role) *gatepost.Evidence {
	var best *gatepost.Evidence
	for i := range h.Evidence {
		if e := &h.Evidence[i]; e.Role == role && (best == nil || abs(e.Weight) > abs(best.Weight)) {
			best = e
		}
	}
	return best
}

func abs(n int) int { return max(n, -n) }
