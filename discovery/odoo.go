package discovery

import (
	"slices"
	"strings"

	"gatepost"
)

// Facts: Odoo's command line reference (--config, --logfile; the short -c), debian/odoo.service and the images of Odoo.
var odoo = &program{
	name:     "odoo",
	binaries: []string{"odoo", "odoo-bin", "openerp-server", "openerp-gevent"},
	config: []string{
		"/etc/odoo/*.conf", "/etc/odoo*.conf", "/etc/odoo*/*.conf", "/etc/openerp*.conf", "/etc/openerp/*.conf",
		"/opt/odoo*/*.conf", "/opt/odoo*/*/*.conf", "/home/odoo*/*.conf", "/home/odoo*/.odoorc",
	},
	logs: []string{"/var/log/odoo", "/var/log/odoo*.log", "/var/log/openerp", "/opt/odoo*/log", "/opt/odoo*/logs"},
	arguments: func(p *process, r Reader) (config string, set gatepost.Setup) {
		if len(p.args) > 0 && strings.HasSuffix(p.args[0], "gevent") || slices.Contains(p.args, "gevent") {
			return "", nil // a child of one that is looked at
		}
		set = r.OdooArguments(p.args)
		for i, a := range p.args {
			if value, ok := strings.CutPrefix(a, "--config="); ok {
				config = value
			}
			if (a == "-c" || a == "--config") && i+1 < len(p.args) {
				config = p.args[i+1]
			}
		}
		if config == "" {
			config = p.environment("ODOO_RC")
		}
		return config, set
	},
	named: func(s gatepost.Setting, dir string) (logs, config []string) {
		if s.Name != "logfile" || s.Value == "" || s.Value == "None" || s.Value == "False" || strings.HasPrefix(s.Value, "/dev/") {
			return nil, nil
		}
		return []string{under(dir, s.Value)}, nil
	},
}
