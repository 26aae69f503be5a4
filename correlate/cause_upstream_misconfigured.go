package correlate

import (
	"fmt"
	"slices"
	"strings"

	"gatepost"
)

var _ = register(Cause{
	Name:  "upstream_misconfigured",
	Title: "the proxy is not set up for its upstream",
	Doc:   "nginx, HAProxy or Traefik could never have reached Odoo: wrong port or host, name not resolved, protocol error, header too big. It is not this when it worked before and the service went away.",
	Case:  misconfiguredCase,
	Fix:   misconfiguredFix,
})

func misconfiguredCase(s *scene, c *Case) []Hypothesis {
	if c.down != nil && c.down.server != nil {
		return nil
	}
	proxy, line := s.proxyOf(c), c.decisiveLine()
	h := Hypothesis{
		Instance: "upstream " + orSome(line.Upstream, c.Upstream),
		Key:      "misconfigured/" + string(c.Phase) + line.Upstream,
		Root:     gatepost.Step{Time: c.Time, Says: proxy.name + " cannot use its upstream " + line.Upstream, Ref: line.Ref},
	}
	switch c.Phase {
	case gatepost.PhaseProtocol:
		h.Evidence = append(h.Evidence, cite(gatepost.For, line, strong+weak, "request", "the answer is not what "+proxy.name+" can pass on"+c.inItsWords()))
	case gatepost.PhaseConfig:
		h.Evidence = append(h.Evidence, cite(gatepost.For, line, strong, "request", proxy.name+" could not even try"+c.inItsWords()))
	case gatepost.PhaseRefused:
		why := s.wrongPort(c, line.Upstream)
		if why == "" {
			return nil
		}
		h.Evidence = append(h.Evidence, cite(gatepost.For, line, leak+unsure, "port", why))
	default:
		return nil
	}
	return []Hypothesis{h}
}

// wrongPort says how it is known that Odoo never listened on the port of an upstream, "" when it is not.
func (s *scene) wrongPort(c *Case, upstream string) string {
	p := s.portOf(upstream)
	switch {
	case p == "":
		return ""
	case len(s.servers) == 0:
		return s.unlistedPort(c, p)
	case slices.ContainsFunc(s.servers, func(sv *server) bool {
		return sv.mayListenOn(p) || c.gevent && len(sv.geventPorts) == 0
	}):
		return ""
	}
	return fmt.Sprintf("nothing of Odoo ever listened on port %s in this log", p)
}

// unlistedPort is wrongPort by the configuration alone: odoo.conf does not have the port. That counts only where the proxy
// goes to one that odoo.conf has, too: then no mapping of ports, as of containers, stands in between.
func (s *scene) unlistedPort(c *Case, p string) string {
	listed := s.configuredPorts()
	if slices.Contains(listed, p) || !slices.ContainsFunc(s.opt.Setup, func(x gatepost.Setting) bool {
		to, _, _ := strings.Cut(x.Value, " ")
		proxy := s.proxyOf(c)
		return x.Program == proxy.program && slices.Contains(proxy.upstreams, x.Name) && slices.Contains(listed, port(to))
	}) {
		return ""
	}
	return fmt.Sprintf("Odoo is set to listen on %s, and port %s is none of them", strings.Join(listed, " and "), p)
}

// configuredPorts are those that Odoo listens on by what odoo.conf says, or leaves to the defaults; none without an odoo.conf.
func (s *scene) configuredPorts() (listed []string) {
	files := make(map[string]map[string]string) // the ports in each odoo.conf
	for _, x := range s.opt.Setup {
		if x.Program != "odoo" || x.Line == 0 { // 0: an option of the command line
			continue
		}
		if files[x.File] == nil {
			files[x.File] = map[string]string{"http_port": "8069", "gevent_port": "8072"}
		}
		if name, ok := portSettings[x.Name]; ok {
			files[x.File][name] = x.Value
		}
	}
	for _, ports := range files {
		for _, p := range ports {
			listed = append(listed, p)
		}
	}
	slices.Sort(listed)
	return slices.Compact(listed)
}

// portSettings are the names in odoo.conf of what newer versions call so.
var portSettings = map[string]string{"http_port": "http_port", "xmlrpc_port": "http_port", "gevent_port": "gevent_port", "longpolling_port": "gevent_port"}

// inItsWords is what nginx's error line says, behind a colon.
func (c *Case) inItsWords() string {
	if text := c.symptomText(); text != "" {
		return ": " + short(text)
	}
	return ""
}

func misconfiguredFix(w *world, g *group) []gatepost.Advice {
	if g.proxy.name == "HAProxy" {
		return []gatepost.Advice{{Do: "see which answer HAProxy refused: \"show errors\" on its socket prints the last one", Why: "an invalid or too large header is mended where it is made",
			File: g.proxy.file, Line: "tune.bufsize 32768", Price: "twice the memory for each connection, where the header was only too large"}}
	}
	if contains(g.symptom, "too big header") {
		return []gatepost.Advice{{Do: "give nginx room for the answer's header", Why: "large cookies and redirects need more than one page", File: "nginx.conf",
			Line: "proxy_buffer_size 16k;\nproxy_buffers 8 16k;", Price: "some memory for each connection"}}
	}
	a := gatepost.Advice{Do: "correct the upstream in " + g.proxy.file + ": " + g.called, Why: g.proxy.name + "'s line says what it could not do", File: g.proxy.file}
	for _, name := range g.proxy.upstreams {
		for _, x := range w.opt.Setup {
			if x.Program == g.proxy.program && x.Name == name {
				a.File, a.Line = fmt.Sprintf("%s:%d", x.File, x.Line), x.Value
				return []gatepost.Advice{a}
			}
		}
	}
	return []gatepost.Advice{a}
}
