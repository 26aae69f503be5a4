package discovery

import (
	"path/filepath"
	"regexp"
	"strings"

	"gatepost"
)

// Facts: "Error Reporting and Logging" and "File Locations" of PostgreSQL's documentation, pg_ctlcluster(1) of Debian.
var postgresql = &program{
	name:     "postgresql",
	binaries: []string{"postgres", "postmaster"},
	config: []string{
		"/etc/postgresql/*/*/postgresql.conf", "/etc/postgresql/*/*/conf.d/*.conf",
		"/var/lib/pgsql/data/postgresql.conf", "/var/lib/pgsql/*/data/postgresql.conf", "/var/lib/postgresql/data/postgresql.conf", "/var/lib/postgres/data/postgresql.conf",
		"/var/lib/postgresql/*/*/postgresql.auto.conf", "/var/lib/pgsql/*/data/postgresql.auto.conf", "/var/lib/pgsql/data/postgresql.auto.conf",
	},
	logs: []string{
		"/var/log/postgresql", "/var/lib/pgsql/data/log", "/var/lib/pgsql/data/pg_log", "/var/lib/pgsql/*/data/log", "/var/lib/postgresql/*/*/log", "/var/lib/postgresql/data/log",
	},
	arguments: func(p *process, _ Reader) (config string, set gatepost.Setup) {
		for i, a := range p.args {
			if value, ok := strings.CutPrefix(a, "config_file="); ok {
				return value, nil
			}
			if value, ok := strings.CutPrefix(a, "--config-file="); ok {
				return value, nil
			}
			if a == "-D" && i+1 < len(p.args) {
				config = filepath.Join(p.args[i+1], "postgresql.conf")
			}
		}
		return config, nil
	},
	named: func(s gatepost.Setting, dir string) (logs, config []string) {
		switch s.Name {
		case "log_directory":
			// It lies below the directory of the data, which is that of the configuration unless Debian has laid it elsewhere.
			for _, data := range []string{dir, strings.Replace(dir, "/etc/postgresql/", "/var/lib/postgresql/", 1)} {
				logs = append(logs, filepath.Join(under(data, s.Value), "*"))
			}
		case "log_filename":
			if filepath.IsAbs(s.Value) {
				logs = []string{strftime.ReplaceAllString(s.Value, "*")}
			}
		}
		return logs, nil
	},
}

var strftime = regexp.MustCompile(`%.`)

var pgbouncer = &program{
	name: "pgbouncer",
	logs: append(withRotated([]string{"/var/log/pgbouncer.log"}), "/var/log/pgbouncer"),
}
