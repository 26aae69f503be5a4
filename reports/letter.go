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
func NewLetter(m *gatepost.Model, host, day string) (*Letter, error) {
	t, err := newTally(m)
	if err != nil {
		return nil, err
	}
	if own := hostOf(m); own != "" {
		host = own
	}
	var b bytes.Buffer
	p := newPage(&b, Options{Width: letterWidth})
	where := visible(host) + ", " + day
	if known(t.clock.from) {
		where += ", times in " + t.clock.zones()
	}
	p.para("", where, proseRows)
	p.blank()
	p.para("", t.answer(), 0)
	p.incidentList(t)
	p.blank()
	p.para("", "The whole page is attached. A browser opens it, on a telephone too, and it needs no network.", 0)
	if err := p.done(); err != nil {
		return nil, err
	}
	return &Letter{Subject: t.subject(host, day), Text: b.String()}, nil
}

// subject tells the worst first, since a list of mails shows no more than that.
func (t *tally) subject(host, day string) string {
	said := "nothing failed"
	if t.failures > 0 {
		said = counted(t.failures, "request failed", "requests failed") + " (" + t.causes[0].name
		if more := len(t.causes) - 1; more > 0 {
			said += " and " + counted(more, "other cause", "other causes")
		}
		said += ")"
	} else if n := len(t.Outages); n > 0 {
		said += ", other trouble"
	}
	return clip(visible(strings.Join(strings.Fields(host+": "+said+", "+day), " ")), 2*letterWidth)
}

// hostOf is the machine whose logs these are, "" when the logs do not tell or are of several.
func hostOf(m *gatepost.Model) string {
	host := ""
	for i := range m.Sources {
		switch h := m.Sources[i].Host; {
		case h == "" || h == host:
		case host != "":
			return ""
		default:
			host = h
		}
	}
	return host
}
