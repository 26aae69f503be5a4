package parser

import "testing"

// Text that only resembles an outcry of Odoo is left to other formats, or to none.
func TestStderrIsHumble(t *testing.T) {
	for name, text := range map[string]string{
		"prose":                    "Dear all,\n\nthe server was down again.\nTraceback attached.\n",
		"one word":                 "MemoryErrors\n",
		"nothing":                  "",
		"blank lines":              "\n\n   \n",
		"nginx":                    "nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)\n",
		"nginx error log":          "2026/11/22 14:10:38 [crit] 1#1: *9 open() failed (28: No space left on device)\n",
		"journal":                  "Nov 22 14:10:38 host odoo[12]: Traceback (most recent call last):\nNov 22 14:10:38 host odoo[12]: MemoryError\n",
		"a log with one traceback": "12:00:01 start\n12:00:02 work\n12:00:03 work\nTraceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 1\n12:00:04 work\n",
		"Odoo's log":               "2026-11-22 14:08:41,123 4711 ERROR prod odoo.http: Exception during request handling. \nTraceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 1\n",
	} {
		if score, _, _ := sniffStderr([]byte(text), &Options{}); score != 0 {
			t.Errorf("%s scores %d", name, score)
		}
	}
}
