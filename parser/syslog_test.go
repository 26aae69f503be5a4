package parser

import (
	"testing"

	"gatepost"
)

// Remarks of journalctl itself are neither unparsed nor anything else. (They cannot stand in a
// txtar file, whose section marks look the same.)
func TestJournalRemarks(t *testing.T) {
	log := `-- Journal begins at Sun 2026-11-01 00:00:01 UTC, ends at Sun 2026-11-22 14:00:00 UTC. --
-- Logs begin at Sun 2026-11-01 00:00:01 UTC, end at Sun 2026-11-22 14:00:00 UTC. --
Nov 22 13:46:21 web1 systemd[1]: odoo.service: Failed with result 'oom-kill'.
-- Boot 3f2a5b0c9d4e4f6f8a7b6c5d4e3f2a1b --
-- Reboot --
-- No entries --
`
	p, err := Use("syslog", []byte(log), &Options{})
	if err != nil {
		t.Fatal(err)
	}
	var out gatepost.Batch
	p.Parse(&gatepost.Block{Source: 1, Line: 1, Data: []byte(log)}, &out)
	if len(out.Events) != 1 || out.Events[0].Ref.Line != 3 || out.UnparsedLines != 0 {
		t.Errorf("%d events, %d unparsed lines", len(out.Events), out.UnparsedLines)
	}
}

// What looks like syslog at first sight.
func TestSyslogSniffRefuses(t *testing.T) {
	f := func(line string) {
		t.Helper()
		if score, dialect, _ := sniffSyslog([]byte(line+"\n"), &Options{}); score > 0 {
			t.Errorf("taken for %s: %s", dialect, line)
		}
	}
	f("[    1.204412] usb 1-1: New USB device found, idVendor=0627, idProduct=0001")
	f("[12345.678901] odoo[4711]: segfault at 10 ip 00007f12f748fb75 sp 00007f12ef0cc688 error 4")
	f("2026-11-22T13:46:21,002509+00:00 usb 1-1: New USB device found")
	f("2026-11-22 14:10:12,880 4711 INFO prod odoo.modules.loading: Modules loaded.")
	f("2026-11-22T14:10:12.881234567Z 2026-11-22 14:10:12,880 4711 INFO prod odoo.modules.loading: Modules loaded.")
	f("2026-11-22T14:10:12.881234567Z stdout F 2026-11-22 14:10:12,880 4711 INFO prod odoo.modules.loading: Modules loaded.")
	f("2026/11/22 14:10:12 [error] 77#77: *12 connect() failed (111: Connection refused) while connecting to upstream")
	f(`10.20.2.46 - - [22/Nov/2026:14:10:12 +0000] "GET / HTTP/1.1" 200 12 "-" "-"`)
	f("2026-11-22 14:10:12.880 UTC [23776] odoo@prod LOG:  unexpected EOF on client connection")
	f("1795355412.880 [23776] odoo@prod LOG:  unexpected EOF on client connection")
}
