package reports

import "gatepost"

// The colours of causes: Okabe and Ito's, which colour-blind people can tell apart, as near as
// 256 colours come. Causes of one family share a colour, and the name always stands beside it.
const (
	vermillion = "\x1b[38;5;166m" // the service was not there
	orange     = "\x1b[38;5;214m" // a worker was ended
	purple     = "\x1b[38;5;175m" // memory
	sky        = "\x1b[38;5;74m"  // waiting for somebody else
	green      = "\x1b[38;5;36m"  // the database and the disk
	blue       = "\x1b[38;5;32m"  // nginx's settings
	yellow     = "\x1b[38;5;227m" // more work than there is time for
	grey       = "\x1b[38;5;245m" // everything that is no cause
)

var causeColors = map[string]string{
	"service_down_crash":           vermillion,
	"service_down_restart":         vermillion,
	"service_down_startup_failure": vermillion,
	"service_down_db_unreachable":  vermillion,
	"worker_crash":                 orange,
	"worker_time_limit":            orange,
	"oom_kill":                     purple,
	"memory_limit":                 purple,
	"long_cron":                    sky,
	"lock_wait":                    sky,
	"slow_query":                   green,
	"pg_too_many_connections":      green,
	"disk_full":                    green,
	"proxy_timeout_too_low":        blue,
	"upstream_misconfigured":       blue,
	"rate_limited":                 blue,
	"workers_busy":                 yellow,
	"slow_app_code":                yellow,
	gatepost.Undetermined:          grey,
}

func causeColor(cause string) string {
	if c, ok := causeColors[cause]; ok {
		return c
	}
	return grey
}

// hues name the colours for a page, whose style says what they are.
var hues = map[string]string{
	vermillion: "vermillion", orange: "orange", purple: "purple", sky: "sky", green: "green", blue: "blue", yellow: "yellow", grey: "grey",
}

func causeHue(cause string) string { return hues[causeColor(cause)] }
