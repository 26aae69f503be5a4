package reports

import (
	"strings"

	"gatepost"
)

// explainHint is the command that shows the argument for a failure.
func (t *tally) explainHint(id string) string { return t.command("explain " + id) }

// command is a command of gatepost on the same logs, as one would type it.
func (t *tally) command(words string) string {
	s := "gatepost " + words
	for _, p := range t.Paths {
		s += " " + shellWord(p)
	}
	return s
}

// shellWord quotes a path for a shell where it needs that.
func shellWord(s string) string {
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune("-_./,:@+=", r) && !letterOrDigit(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\\''`) + "'"
}

func letterOrDigit(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// seeMore says how to see the evidence of an incident that is not shown.
func (t *tally) seeMore(in *gatepost.Incident) string {
	if members := t.members[in.ID]; len(members) > 0 {
		return "for one request: " + t.explainHint(members[0].ID)
	}
	return "gatepost analyze --format json lists them all"
}
