package discovery

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"gatepost"
)

// Facts: ngx_http_core_module, ngx_http_log_module, ngx_core_module (access_log, error_log, include) and nginx(8).
var nginx = &program{
	name:     "nginx",
	binaries: []string{"nginx", "openresty", "angie"},
	config: []string{
		"/etc/nginx/nginx.conf", "/usr/local/nginx/conf/nginx.conf", "/usr/local/etc/nginx/nginx.conf", "/usr/local/openresty/nginx/conf/nginx.conf",
		"/etc/angie/angie.conf",
	},
	logs: []string{"/var/log/nginx", "/usr/local/nginx/logs", "/usr/local/openresty/nginx/logs", "/var/log/angie"},
	arguments: func(p *process, _ Reader) (string, gatepost.Setup) {
		// The master calls itself "nginx: master process /usr/sbin/nginx -c /etc/nginx/nginx.conf".
		i := slices.Index(p.args, "-c")
		if i < 0 || i+1 == len(p.args) {
			return "", nil
		}
		return p.args[i+1], nil
	},
	named: func(s gatepost.Setting, dir string) (logs, config []string) {
		path, _, _ := strings.Cut(s.Value, " ")
		switch s.Name {
		case "include":
			return nil, []string{under(dir, s.Value)}
		case "access_log", "error_log":
			if path == "off" || path == "stderr" || strings.HasPrefix(path, "syslog:") || strings.HasPrefix(path, "memory:") || strings.HasPrefix(path, "/dev/") {
				return nil, nil
			}
			path = nginxVariable.ReplaceAllString(path, "*") // it is that of many logs
			logs = []string{under(dir, path)}
			if !filepath.IsAbs(path) {
				// It lies below the prefix that nginx was built with: where its configuration lies, or one above.
				logs = append(logs, under(filepath.Dir(dir), path))
			}
			return logs, nil
		}
		return nil, nil
	},
}

var nginxVariable = regexp.MustCompile(`\$\{\w+\}|\$\w+`)

var haproxy = &program{
	name:   "haproxy",
	config: []string{"/etc/haproxy/haproxy.cfg", "/usr/local/etc/haproxy/haproxy.cfg"},
	logs:   withRotated([]string{"/var/log/haproxy.log", "/var/log/haproxy/*.log"}),
}

var traefik = &program{name: "traefik", logs: []string{"/var/log/traefik"}}

// under is a path as seen from a directory.
func under(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
