package correlate

import "gatepost"

var _ = register(Cause{
	Name:  "rate_limited",
	Title: "nginx's own limit on requests",
	Doc:   "nginx turned the request away by limit_req or limit_conn. Only a 503 can be this, so it is in the ledger only when --status asks for it.",
	Case:  limitedCase,
	Fix:   limitedFix,
})

func limitedCase(s *scene, c *Case) []Hypothesis {
	if c.Status != 503 || c.decisive == nil || !limitsText(c.decisive.Text) {
		return nil
	}
	return []Hypothesis{{
		Instance: short(c.decisive.Text),
		Key:      "limited",
		Via:      "nginx did not pass it on",
		Root:     gatepost.Step{Time: c.Time, Says: "more requests came than limit_req or limit_conn allows", Ref: c.decisive.Ref},
		Evidence: []gatepost.Evidence{cite(gatepost.For, c.decisive, decisive, "request", "nginx says that it limits the client")},
	}}
}

// limitsText reports whether a line of nginx is about limit_req or limit_conn.
func limitsText(text string) bool { return contains(text, "limiting requests", "limiting connections") }

func limitedFix(w *world, g *group) []gatepost.Advice {
	return []gatepost.Advice{{Do: "raise burst in limit_req for paths that people use, or keep the limit for the login alone", Why: "the limit hit requests of people", File: "nginx.conf", Line: "limit_req zone=one burst=50 nodelay;", Price: "less protection against guessing of passwords"}}
}
