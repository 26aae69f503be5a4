package discovery

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatepost"
	"gatepost/parser"
)

var reader = Reader{
	File: func(path string, data []byte) (gatepost.Setup, bool) {
		c := parser.DetectConfig(path, data)
		if c == nil {
			return nil, false
		}
		settings, _ := c.Read(path, data)
		return settings, true
	},
	OdooArguments: parser.OdooArguments,
}

// lay writes files below a directory.
func lay(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRunning holds that what runs tells where its configuration lies and what its command line sets.
func TestRunning(t *testing.T) {
	dir := t.TempDir()
	lay(t, dir, map[string]string{
		// nginx writes its title anew, in one piece.
		"proc/10/cmdline": "nginx: master process /usr/sbin/nginx -c /srv/nginx/shop.conf -g daemon on;\x00",
		"proc/11/cmdline": "nginx: worker process\x00",
		"proc/20/cmdline": "/srv/venv/bin/python3\x00-u\x00/srv/odoo/odoo-bin\x00--config\x00conf/shop.conf\x00--workers=3\x00--limit-time-real\x00300\x00",
		"proc/21/cmdline": "/srv/venv/bin/python3\x00/srv/odoo/odoo-bin\x00gevent\x00--config=conf/shop.conf\x00",
		"proc/30/cmdline": "/usr/lib/postgresql/17/bin/postgres\x00-D\x00/data/pg\x00",
		"proc/31/cmdline": "postgres: 17/main: checkpointer \x00",
		"proc/40/cmdline": "",
		"proc/self/x":     "",
		"proc/stat":       "cpu  1 2 3\nbtime 1763805600\n",

		"srv/nginx/shop.conf":       "http { include sites/*.conf; access_log logs/all.log; }\n",
		"srv/nginx/sites/erp.conf":  "server { access_log /logs/${host}_access.log upt buffer=64k; error_log /logs/errors.log warn; }\n",
		"srv/odoo/conf/shop.conf":   "[options]\nlogfile = ../log/odoo.log\n",
		"data/pg/postgresql.conf":   "max_connections = 100\nlog_directory = 'pg_log'\n",
		"logs/erp_access.log":       "",
		"logs/erp_access.log.2.gz":  "",
		"logs/errors-20261121.log":  "",
		"srv/log/all.log":           "",
		"srv/nginx/logs/all.log":    "",
		"srv/odoo/log/odoo.log":     "",
		"data/pg/pg_log/monday.log": "",
	})
	running := processes(dir + "/proc")
	for _, p := range running {
		p.root = dir // as of a container
		if p.pid == 20 || p.pid == 21 {
			p.dir = "/srv/odoo"
		}
	}
	f := newFound(dir+"/elsewhere", reader)
	var got []string
	for _, p := range programs {
		for _, place := range f.of(p, running) {
			got = append(got, strings.ReplaceAll(place.Path+"  "+place.Why, dir, ""))
		}
	}
	want := []string{
		"/logs/erp_access.log  /srv/nginx/sites/erp.conf:1",
		"/logs/erp_access.log.2.gz  /srv/nginx/sites/erp.conf:1",
		"/logs/errors-20261121.log  /srv/nginx/sites/erp.conf:1",
		"/srv/nginx/logs/all.log  /srv/nginx/shop.conf:1",
		"/srv/odoo/log/odoo.log  /srv/odoo/conf/shop.conf:2",
		"/data/pg/pg_log/monday.log  /data/pg/postgresql.conf:2",
	}
	if got = slices.Compact(got); !slices.Equal(got, want) {
		t.Errorf("logs:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	wantSetup := gatepost.Setup{
		{Program: "odoo", Name: "workers", Value: "3", File: "command line of process 20"},
		{Program: "odoo", Name: "limit_time_real", Value: "300", File: "command line of process 20"},
	}
	if !slices.Equal(f.Setup, wantSetup) {
		t.Errorf("settings: %v, want %v", f.Setup, wantSetup)
	}
	if at := bootTime(dir + "/proc/stat"); at.String() != "2025-11-22T10:00:00Z" {
		t.Errorf("up since %s", at)
	}
}

// TestHostileConfiguration holds that configuration of strangers ends: it includes itself, names everything, and holds no patterns.
func TestHostileConfiguration(t *testing.T) {
	dir := t.TempDir()
	lay(t, dir, map[string]string{
		"etc/nginx/nginx.conf":    "http { include /etc/nginx/*.conf; include nginx.conf; access_log /[; error_log ../../../../../../log/x; access_log '/var/log/\x1b[2J'; }",
		"etc/nginx/second.conf":   "include /etc/nginx/nginx.conf;\naccess_log a;\n",
		"etc/odoo/odoo.conf":      "[options]\nlogfile = /var/log/odoo/*\nworkers = 1\n",
		"srv/site.conf":           "server {\n access_log /srv/site.log;\n}\n",
		"srv/site.log":            "",
		"var/log/odoo/server.log": "",
	})
	if err := os.Symlink("/", filepath.Join(dir, "etc/odoo/loop.conf")); err != nil {
		t.Fatal(err)
	}
	// Links are those of the machine below: Debian's sites-enabled has such.
	for link, target := range map[string]string{
		"etc/nginx/linked.conf": "/srv/site.conf", "etc/nginx/outside.conf": "../../../../../../../../etc/passwd", "etc/nginx/round.conf": "round.conf",
	} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	f := Machine(dir, reader)
	var got []string
	for _, p := range f.Places {
		got = append(got, strings.TrimPrefix(p.Path, dir))
	}
	want := []string{"/etc/nginx/nginx.conf", "/srv/site.conf", "/etc/nginx/second.conf", "/etc/odoo/odoo.conf", "/srv/site.log", "/var/log/odoo/server.log", "/var/log/odoo"}
	if !slices.Equal(got, want) || len(f.Errors) > 0 {
		t.Errorf("found %q, %v, want %q", got, f.Errors, want)
	}
}
