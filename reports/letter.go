package reports

import (
	"bytes"
	"strings"

	"gatepost"
)

// letterWidth is how wide the text of a mail is: telephones fold longer lines, and then badly.
const letterWidth = 72

// Letter is what a mail says of a report, for people who read the page itself later, or never.
type Letter struct {
	Subject string // one line; nothing in it that a terminal or a mail program obeys
	Text    string
}

// NewLetter writes the letter of a model. The host is named where the logs do not tell whose they are.
func NewLetter(m *gatepost.Model, host string) (*Letter, error) {
	t, err := newTally(m, pageClock(m), 1)
	if err != nil {
		return nil, err
	}
	if own := t.host(); own != "" {
		host = own
	}
	where := []string{visible(host)}
	if from, to := t.span(); known(from) && known(to) {
		where = append(where, t.nightName(from, to))
	}
	subject := t.subject(where)
	if known(t.clock.from) {
		where = append(where, "times in "+visible(t.clock.zones()))
	}
	var b bytes.Buffer
	p := newPage(&b, Options{Width: letterWidth})
	p.para("", strings.Join(where, ", "), proseRows)
	p.blank()
	p.para("", t.answer(), 0)
	p.incidentList(t)
	p.blank()
	p.para("", "The whole page is attached. A browser opens it, on a telephone too, and it needs no network.", 0)
	if err := p.done(); err != nil {
		return nil, err
	}
	return &Letter{Subject: subject, Text: b.String()}, nil
}

// subject tells the worst first, since a list of mails shows no more than that.
func (t *tally) subject(where []string) string {
	said := "nothing failed"
	if t.failures > 0 {
		said = counted(t.failures, "request failed", "requests failed") + " (" + t.causes[0].name
		if more := len(t.causes) - 1; more > 0 {
			said += " and " + counted(more, "other cause", "other causes")
		}
		said += ")"
	} else if len(t.Outages) > 0 {
		said += ", other trouble"
	}
	where = append([]string{where[0] + ": " + said}, where[1:]...)
	return clip(strings.Join(strings.Fields(strings.Join(where, ", ")), " "), 2*letterWidth)
}
