package correlate

import (
	"fmt"
	"slices"

	"gatepost"
)

var _ = register(Cause{
	Name:  "upstream_misconfigured",
	Title: "nginx is not set up for its upstream",
	Doc:   "nginx could never have reached Odoo: wrong port or host, name not resolved, protocol error, header too big. It is not this when it worked before and the service went away.",
	Case:  misconfiguredCase,
	Fix:   misconfiguredFix,
})

func misconfiguredCase(s *scene, c *Case) []Hypothesis {
	if c.down != nil && c.down.server != nil || c.decisive == nil {
		return nil
	}
	h := Hypothesis{
		Instance: "upstream " + orSome(c.decisive.Upstream, c.Upstream),
		Key:      "misconfigured/" + string(c.Phase) + c.decisive.Upstream,
		Root:     gatepost.Step{Time: c.Time, Says: "nginx cannot use its upstream " + c.decisive.Upstream, Ref: c.decisive.Ref},
	}
	switch c.Phase {
	case gatepost.PhaseProtocol:
		h.Evidence = append(h.Evidence, cite(gatepost.For, c.decisive, strong+weak, "request", "the answer is not what nginx can pass on: "+short(c.decisive.Text)))
	case gatepost.PhaseConfig:
		h.Evidence = append(h.Evidence, cite(gatepost.For, c.decisive, strong, "request", "nginx could not even try: "+short(c.decisive.Text)))
	case gatepost.PhaseRefused:
		p := port(c.decisive.Upstream)
		if len(s.servers) == 0 || slices.ContainsFunc(s.servers, func(sv *server) bool {
			return sv.mayListenOn(p) || c.gevent && len(sv.geventPorts) == 0
		}) {
			return nil
		}
		h.Evidence = append(h.Evidence, cite(gatepost.For, c.decisive, leak+unsure, "port", fmt.Sprintf("nothing of Odoo ever listened on port %s in this log", p)))
	default:
		return nil
	}
	return []Hypothesis{h}
}

func misconfiguredFix(w *world, g *group) []gatepost.Advice {
	if contains(g.symptom, "too big header") {
		return []gatepost.Advice{{Do: "give nginx room for the answer's header", Why: "large cookies and redirects need more than one page", File: "nginx.conf",
			Line: "proxy_buffer_size 16k;\nproxy_buffers 8 16k;", Price: "some memory for each connection"}}
	}
	a := gatepost.Advice{Do: "correct the upstream in nginx.conf: " + g.called, Why: "nginx's error line says what it could not do", File: "nginx.conf"}
	for _, name := range []string{"upstream_server", "proxy_pass"} {
		for _, x := range w.opt.Setup {
			if x.Program == "nginx" && x.Name == name {
				a.File, a.Line = fmt.Sprintf("%s:%d", x.File, x.Line), x.Value
				return []gatepost.Advice{a}
			}
		}
	}
	return []gatepost.Advice{a}
}
