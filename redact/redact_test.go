package redact

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"gatepost"
)

// standIns make texts comparable whatever the key.
var standIns = regexp.MustCompile(`-[0-9][0-9a-f]{7}\b`)

func TestText(t *testing.T) {
	r := New([]byte("k"))
	r.Files("/logs")
	f := func(in, want string) {
		t.Helper()
		got := r.Text(in)
		if again := r.Text(got); again != got {
			t.Errorf("twice:\n in   %s\n once %s\n then %s", in, got, again)
		}
		if got := standIns.ReplaceAllString(got, "-*"); got != want {
			t.Errorf("\n in   %s\n got  %s\n want %s", in, got, want)
		}
	}
	// What stays.
	for _, s := range []string{
		"kernel killed pid 29158 (odoo: WorkerHTT) at 2026-11-22T14:19:16Z",
		"connect() to 127.0.0.1:8069 failed, and [::1]:8069", "user@1000.service: Main process exited", "odoo@prod LOG:  process 4711 still waiting",
		"File \"/usr/lib/python3/dist-packages/odoo/http.py\", line 12", "/logs/night-2.log: is empty", "PostgreSQL 15.4 on 17.0.1.0.3",
		"POST /web/dataset/call_kw/sale.order/read", "GET /xmlrpc/2/object", "GET /web/static/lib/jquery-3.3.1/jQuery.js", "password authentication failed for user \"odoo\"",
		"segfault at 7f1234567890abcd ip 00007f1234567890", "gatepost explain f-3b9c0d11aa52", "idle_in_transaction_session_timeout = 60s",
	} {
		f(s, s)
	}
	f("from 203.0.113.7, [2001:db8::1]:443 and ::ffff:203.0.113.7", "from client-*, [client-*]:443 and client-*")
	f("mail a.b@x.example or a.b%40x.example", "mail mail-* or mail-*")
	f("GET /shop/name-of-customer?q=Jane+Doe&model=res.partner", "GET /shop/record-*?q=text-*&model=res.partner")
	f(`"GET /a b?q=x y HTTP/1.1"`, `"GET /record-*?q=text-* HTTP/1.1"`)
	f("postgres://odoo:p@ss/w@10.0.0.1/prod", "postgres://user-*:token-*@client-*/prod")
	f("password=a,b c", "password=token-* c")
	f(`{'password': 'a"b', "token": "x", \"api_key\": \"y\"}`, `{'password': 'token-*', "token": "token-*", \"api_key\": \"token-*\"}`)
	f("Authorization: Bearer abc", "Authorization: Bearer token-*")
	f("login:al ice from 10.0.0.1", "login:user-* from client-*")
	f("statement: UPDATE t SET a = 'x''y', b = 42, c = $1, d1 = $$z$$ WHERE id IN (1,2)", "statement: UPDATE t SET a = 'text-*', b = number-*, c = $1, d1 = 'text-*' WHERE id IN (number-*,number-*)")
	f("statement: SELECT 'cut of", "statement: SELECT 'text-*'")
	f("/home/jane/logs", "/home/user-*/logs")
	f("key 0123456789abcdef0123456789abcdef and 0b9c8d7e-6f5a-4b3c-9d2e-1f0a9b8c7d6e", "key token-* and token-*")
}

// TestStandIns holds that equal values are equal whatever they were taken for, that the key decides, and that a
// request's hash of an address gives the stand-in of the address.
func TestStandIns(t *testing.T) {
	r, other := New([]byte("k")), New([]byte("l"))
	digits := func(s string) string { return s[strings.LastIndexByte(s, '-'):] }
	if a, b := r.Path("/my/orders/4711"), r.Text("statement: SELECT 4711"); digits(a) != digits(b) {
		t.Errorf("%s and %s are of one value", a, b)
	}
	if a, b := r.Text("10.0.0.1"), other.Text("10.0.0.1"); a == b {
		t.Errorf("%s with both keys", a)
	}
	if a, b := r.Text("2001:DB8:0::1"), r.Cell("requests.client", 0, int64(gatepost.HashOf("2001:db8::1"))); a != b {
		t.Errorf("%s and %s are of one client", a, b)
	}
	if err := r.Learn(&gatepost.Model{Failures: gatepost.FailureList{{Upstream: "10.0.0.9:8069, 10.0.0.10:8069"}}}); err != nil {
		t.Fatal(err)
	}
	if got := r.Text("10.0.0.10:8069 10.0.0.11:8069"); !strings.HasPrefix(got, "10.0.0.10:8069 client-") {
		t.Errorf("of an upstream and another: %s", got)
	}
}

var dotted = regexp.MustCompile(`(?:^|[ ="(])((?:\d{1,3}\.){3}\d{1,3})(?:[ ,)"]|$)`)

// FuzzText holds that no text breaks anything, and that no address stands alone in what comes out.
func FuzzText(f *testing.F) {
	for _, s := range []string{
		`203.0.113.7 - jane [22/Nov/2026:14:08:41 +0000] "GET /a?b=c HTTP/1.1" 502 1 "-" "x"`, `{"remote_addr":"203.0.113.7","k":[1,{"a":"b\"`,
		"bad query: SELECT 'a' $x$b 10.0.0.1", `Key (a)=(b) user "x": password='`, "https://a:b@c:d/e?f#g;h", "x@y.zz%40a.bb login:a from ::1", "POST ", "token=\\",
	} {
		f.Add(s)
	}
	r := New([]byte("k"))
	r.formats = map[int]string{1: "nginx_access", 2: "postgresql"}
	f.Fuzz(func(t *testing.T, s string) {
		for source := range 3 {
			got := r.Line(source, s)
			if utf8.ValidString(s) && !utf8.ValidString(got) {
				t.Errorf("source %d: %q breaks a rune: %q", source, s, got)
			}
			for _, m := range dotted.FindAllStringSubmatch(got, -1) {
				if a, err := netip.ParseAddr(m[1]); err == nil && !a.IsLoopback() && !a.IsUnspecified() {
					t.Errorf("source %d: %q shows %s: %q", source, s, a, got)
				}
			}
		}
		r.Path(s)
		r.Cell("failures.rivals", 0, s)
	})
}
