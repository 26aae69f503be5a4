package correlate

import (
	"fmt"
	"strings"
	"time"

	"gatepost"
)

// proxy is a kind of program that stands before Odoo and writes the access log: what it is called, and by which of its
// settings the causes go that are about it.
type proxy struct {
	format  string // of its access log
	name    string
	program string // of its Settings
	file    string // where they are made

	patience     string // the setting that says how long it waits for an answer
	patienceLine string // that setting with %d whole seconds
	upstreams    []string
	aside        string // why a server was set aside
	maintenance  string // how it answers with a page of its own
	spare        string // how it is given a second server
}

// proxies are all kinds, nginx first: what has no access log at all is told of in its words.
var proxies = []*proxy{
	{
		format: "nginx_access", name: "nginx", program: "nginx", file: "nginx.conf",
		patience: "proxy_read_timeout", patienceLine: "proxy_read_timeout %ds;",
		upstreams:   []string{"upstream_server", "proxy_pass"},
		aside:       "this failure made nginx set the server aside for fail_timeout (10 s by default)",
		maintenance: "error_page 502 /maintenance.html;",
		spare:       "upstream odoo { server 127.0.0.1:8069; server 127.0.0.1:8169 backup; }",
	},
	{
		format: "haproxy", name: "HAProxy", program: "haproxy", file: "haproxy.cfg",
		patience: "timeout server", patienceLine: "timeout server %ds",
		upstreams:   []string{"server"},
		aside:       "this failure came before HAProxy's checks set the server aside",
		maintenance: "errorfile 503 /etc/haproxy/maintenance.http",
		spare:       "backend odoo: server o1 127.0.0.1:8069 check; server o2 127.0.0.1:8169 check backup",
	},
	{
		format: "traefik", name: "Traefik", program: "traefik", file: "traefik.yml",
		patience: "forwardingTimeouts.responseHeaderTimeout", patienceLine: "serversTransport: {forwardingTimeouts: {responseHeaderTimeout: %ds}}",
		aside:       "this failure came before Traefik's health check set the server aside",
		maintenance: "http.middlewares.maintenance.errors: {status: [\"502-504\"], service: maintenance, query: /maintenance.html}",
		spare:       "loadBalancer: {servers: [{url: http://127.0.0.1:8069}, {url: http://127.0.0.1:8169}], healthCheck: {path: /web/health}}",
	},
}

// proxyOf is the proxy that wrote a failure's line.
func (w *world) proxyOf(c *Case) *proxy {
	if src := w.sources[c.Ref.Source]; src != nil {
		for _, p := range proxies {
			if p.format == src.Format {
				return p
			}
		}
	}
	return w.proxy
}

// mainProxy is the proxy that most access lines are of.
func mainProxy(sources []gatepost.Source) *proxy {
	main, most := proxies[0], int64(0)
	for _, p := range proxies {
		lines := int64(0)
		for i := range sources {
			if sources[i].Format == p.format {
				lines += sources[i].Requests
			}
		}
		if lines > most {
			main, most = p, lines
		}
	}
	return main
}

// accessFormat reports whether logs of a format are access logs.
func accessFormat(format string) bool {
	for _, p := range proxies {
		if p.format == format {
			return true
		}
	}
	return false
}

// scope is what the settings for a failure are looked up by: the path in nginx.conf, the backend and the server in haproxy.cfg.
func (p *proxy) scope(c *Case) string {
	if p.program == "haproxy" {
		return c.Upstream + "/"
	}
	return c.Path
}

// told is how long the configuration says that the proxy waits for an answer to a request.
func (p *proxy) told(setup gatepost.Setup, c *Case) (patience, bool) {
	d, ok := setup.Duration(p.program, p.patience, p.scope(c))
	if !ok {
		return patience{}, false
	}
	set, _ := setup.Find(p.program, p.patience, p.scope(c))
	return patience{limit: d, how: fmt.Sprintf("%s %s in %s:%d", p.patience, set.Value, set.File, set.Line), from: set}, true
}

// raised is the setting with another time.
func (p *proxy) raised(to time.Duration) string {
	return fmt.Sprintf(p.patienceLine, int(to/time.Second))
}

// portOf is the port of an upstream, "" where nothing tells it: HAProxy's log names a server, and haproxy.cfg its address.
func (w *world) portOf(upstream string) string {
	if set, ok := w.opt.Setup.Find("haproxy", "server", upstream+"/"); ok {
		upstream, _, _ = strings.Cut(set.Value, " ")
	}
	return port(upstream)
}
