package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatepost"
)

// hook is a server that gives its answers in turn, the last for ever, and keeps what it was asked.
type hook struct {
	mu      sync.Mutex
	answers []func(http.ResponseWriter)
	asked   []*http.Request
	bodies  [][]byte
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked, h.bodies = append(h.asked, r), append(h.bodies, body)
	answer := h.answers[0]
	if len(h.answers) > 1 {
		h.answers = h.answers[1:]
	}
	answer(w)
}

func code(n int) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { w.WriteHeader(n) }
}

func redirect(n int, to string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Location", to)
		w.WriteHeader(n)
	}
}

// anAnnouncement is an announcement to deliver.
func anAnnouncement(t *testing.T, p pace) *announcement {
	t.Helper()
	c := changeOf(gatepost.Opened, outOfMemory())
	a, err := newAnnouncer(p).announcement("incident_opened", &c)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// postTo delivers one announcement to a server, which the webhook trusts, and returns the log too.
func postTo(t *testing.T, s *httptest.Server, m *moments, secret string) (log string, err error) {
	t.Helper()
	var out bytes.Buffer
	w, err := newWebhook(s.URL+"/hooks/hunter2", secret, newLog(&out, logText, m.now, 0), m.pace())
	if err != nil {
		t.Fatal(err)
	}
	if s.TLS != nil {
		pool := x509.NewCertPool()
		pool.AddCert(s.Certificate())
		w.client.Transport.(*http.Transport).TLSClientConfig.RootCAs = pool
	}
	defer w.end()
	err = w.deliver(t.Context(), anAnnouncement(t, m.pace()))
	if strings.Contains(out.String(), "hunter2") {
		t.Errorf("the secret of the URL stands in the log: %s", out.String())
	}
	return out.String(), err
}

// An announcement that a server cannot take now is posted again, the same and signed anew, until it can; the log says so once.
func TestWebhook(t *testing.T) {
	for _, start := range []func(http.Handler) *httptest.Server{httptest.NewServer, httptest.NewTLSServer} {
		m := newMoments()
		h := &hook{answers: []func(http.ResponseWriter){code(500), code(503), code(200)}}
		s := start(h)
		defer s.Close()
		log, err := postTo(t, s, m, "s3cret")
		if err != nil {
			t.Fatal(err)
		}
		if got, want := m.sleeps(), []time.Duration{time.Second, 2 * time.Second}; !slices.Equal(got, want) {
			t.Errorf("slept %v, want %v", got, want)
		}
		if strings.Count(log, "does not work") != 1 || !strings.Contains(log, `msg="works again" webhook=`+s.URL+" failures=2 after=3s") || strings.Count(log, "\n") != 2 {
			t.Error(log)
		}
		for n, r := range h.asked {
			at := r.Header.Get("X-Gatepost-Timestamp")
			mac := hmac.New(sha256.New, []byte("s3cret"))
			mac.Write([]byte(at + "." + string(h.bodies[n])))
			if got, want := r.Header.Get("X-Gatepost-Signature"), "sha256="+hex.EncodeToString(mac.Sum(nil)); got != want {
				t.Errorf("request %d has the signature %s, want %s", n, got, want)
			}
			if at != []string{"1795356000", "1795356001", "1795356003"}[n] {
				t.Errorf("request %d is of %s", n, at)
			}
			if id := r.Header.Get("X-Gatepost-Delivery"); id == "" || id != h.asked[0].Header.Get("X-Gatepost-Delivery") || !bytes.Equal(h.bodies[n], h.bodies[0]) {
				t.Errorf("request %d is another one", n)
			}
			if r.Method != "POST" || r.Header.Get("User-Agent") != "gatepost/"+version() || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("X-Gatepost-Event") != "incident_opened" {
				t.Errorf("%s %v", r.Method, r.Header)
			}
		}
	}
}

// Without a secret nothing is signed.
func TestWebhookUnsigned(t *testing.T) {
	h := &hook{answers: []func(http.ResponseWriter){code(204)}}
	s := httptest.NewServer(h)
	defer s.Close()
	if _, err := postTo(t, s, newMoments(), ""); err != nil || h.asked[0].Header["X-Gatepost-Signature"] != nil {
		t.Errorf("%v, %v", h.asked[0].Header, err)
	}
}

// What a server will not take at all is not posted again; what it wants later is posted when it says.
func TestWebhookAnswers(t *testing.T) {
	later := func(n int, when string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", when)
			w.WriteHeader(n)
		}
	}
	for _, c := range []struct {
		name    string
		answers []func(http.ResponseWriter)
		slept   []time.Duration
		err     string
	}{
		{"gone", []func(http.ResponseWriter){code(410)}, nil, "answers 410 Gone"},
		{"unknown", []func(http.ResponseWriter){code(499)}, nil, "answers 499"},
		{"timeout", []func(http.ResponseWriter){code(408), code(202)}, []time.Duration{time.Second}, ""},
		{"too many", []func(http.ResponseWriter){later(429, "30"), code(200)}, []time.Duration{30 * time.Second}, ""},
		{"a date", []func(http.ResponseWriter){later(503, "Sun, 22 Nov 2026 14:00:10 GMT"), code(200)}, []time.Duration{10 * time.Second}, ""},
		{"too long", []func(http.ResponseWriter){later(503, "2000000000"), code(200)}, []time.Duration{maxRetryAfter}, ""},
		{"nonsense", []func(http.ResponseWriter){later(503, "-5"), later(503, "soon"), code(200)}, []time.Duration{time.Second, 2 * time.Second}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMoments()
			s := httptest.NewServer(&hook{answers: c.answers})
			defer s.Close()
			log, err := postTo(t, s, m, "")
			if c.err == "" && err != nil || c.err != "" && (err == nil || err.Error() != c.err || !strings.Contains(log, c.err)) {
				t.Errorf("%v, %s", err, log)
			}
			if !slices.Equal(m.sleeps(), c.slept) {
				t.Errorf("slept %v, want %v", m.sleeps(), c.slept)
			}
		})
	}
}

// A redirect is followed with the body, within its scheme, without telling where from, and not for ever.
func TestWebhookRedirect(t *testing.T) {
	end := &hook{answers: []func(http.ResponseWriter){code(200)}}
	plain := httptest.NewServer(end)
	defer plain.Close()
	for _, c := range []struct {
		name  string
		start func(http.Handler) *httptest.Server
		n     int
		err   string
	}{
		{"same scheme", httptest.NewServer, 307, ""},
		{"for good", httptest.NewServer, 308, ""},
		{"without its body", httptest.NewServer, 301, "answers 301 and leads to " + plain.URL + ", which is not followed"},
		{"as a GET", httptest.NewServer, 303, "answers 303 and leads to " + plain.URL + ", which is not followed"},
		{"to another scheme", httptest.NewTLSServer, 307, "answers 307 and leads to " + plain.URL + ", which is not followed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			end.asked, end.bodies = nil, nil
			first := &hook{answers: []func(http.ResponseWriter){redirect(c.n, plain.URL+"/end")}}
			s := c.start(first)
			defer s.Close()
			_, err := postTo(t, s, newMoments(), "s3cret")
			if c.err != "" {
				if err == nil || err.Error() != c.err || len(end.asked) > 0 {
					t.Errorf("%v, %d requests", err, len(end.asked))
				}
				return
			}
			if err != nil || len(end.asked) != 1 || !bytes.Equal(end.bodies[0], first.bodies[0]) || end.asked[0].Header.Get("Referer") != "" {
				t.Errorf("%v, %v", err, end.asked)
			}
		})
	}
	round := &hook{}
	s := httptest.NewServer(round)
	defer s.Close()
	round.answers = []func(http.ResponseWriter){redirect(307, s.URL)}
	if _, err := postTo(t, s, newMoments(), ""); err == nil || len(round.asked) != maxRedirects+1 {
		t.Errorf("%v after %d requests", err, len(round.asked))
	}
}

// A certificate that nobody vouches for is trouble, not an answer: it may be mended.
func TestWebhookUntrusted(t *testing.T) {
	h := &hook{answers: []func(http.ResponseWriter){code(200)}}
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = newStdLog(noLog())
	s.StartTLS()
	defer s.Close()
	m := newMoments()
	w, err := newWebhook(s.URL, "", noLog(), m.pace())
	if err != nil {
		t.Fatal(err)
	}
	defer w.end()
	err = w.deliver(t.Context(), anAnnouncement(t, m.pace()))
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok || len(h.asked) > 0 {
		t.Error(err)
	}
	if d := m.now().Sub(newMoments().now()); d < webhookPatience {
		t.Errorf("given up after %s", d)
	}
}

// roundTrip is a transport of a test.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A server that hangs keeps nobody waiting: reading goes on, each request has its time, and what is behind it is not tried faster.
func TestWebhookHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log safeBuffer
		w, err := newWebhook("https://hooks.example.com/", "", newLog(&log, logText, time.Now, 0), newPace(time.Now))
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var begun []time.Duration
		begin := time.Now()
		w.pace.chance = func() float64 { return 1 }
		w.client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			begun = append(begun, time.Since(begin))
			mu.Unlock()
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		a := newAnnouncer(w.pace, w)
		a.out[0].room = 10
		for range 100 {
			a.hear(changeOf(gatepost.Opened, outOfMemory()))
		}
		if time.Since(begin) != 0 {
			t.Errorf("hearing took %s", time.Since(begin))
		}
		time.Sleep(time.Minute)
		want := []time.Duration{0, 11, 23, 37, 55}
		mu.Lock()
		for n, d := range want {
			if n >= len(begun) || begun[n] != d*time.Second {
				t.Errorf("requests began after %v, want %d s", begun, want)
				break
			}
		}
		mu.Unlock()
		time.Sleep(2 * webhookPatience)
		mu.Lock()
		if n := len(begun); n > 700 {
			t.Errorf("%d requests in two days", n)
		}
		mu.Unlock()
		a.close()
		if d := a.out[0].deliveries(); d.failed < 10 || d.delivered > 0 {
			t.Errorf("%+v", d)
		}
		if s := log.String(); strings.Count(s, "\n") != 1 || !strings.Contains(s, `error="no answer within 10s"`) {
			t.Error(s)
		}
	})
}

// Closing ends a request to a real server that never answers.
func TestWebhookNeverAnswers(t *testing.T) {
	asked, end := make(chan struct{}), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		close(asked)
		<-end
	}))
	defer s.Close()
	defer close(end)
	m := newMoments()
	w, err := newWebhook(s.URL, "", noLog(), m.pace())
	if err != nil {
		t.Fatal(err)
	}
	a := newAnnouncer(m.pace(), w)
	a.hear(changeOf(gatepost.Opened, outOfMemory()))
	<-asked
	a.close()
	if d := a.out[0].deliveries(); d != (deliveries{failed: 1}) {
		t.Errorf("%+v", d)
	}
}

// A server that is not there is trouble without its URL.
func TestWebhookNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	m := newMoments()
	p := m.pace()
	p.sleep = func(context.Context, time.Duration) { cancel() }
	var out bytes.Buffer
	w, err := newWebhook("http://user:hunter2@"+l.Addr().String()+"/hunter2", "", newLog(&out, logJSON, m.now, 0), p)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.deliver(ctx, anAnnouncement(t, p)); err == nil {
		t.Error("it arrived")
	}
	if log := out.String(); strings.Contains(log, "hunter2") || !strings.Contains(log, "connection refused") || !strings.HasPrefix(log, `{"time":"2026-11-22T14:00:00Z","level":"WARN","msg":"does not work","webhook":"http://127.0.0.1:`) {
		t.Error(log)
	}
}

func TestWebhookURL(t *testing.T) {
	for target, want := range map[string]string{
		"https://hooks.example.com/a":  "",
		"http://[::1]:8080/":           "",
		"hooks.example.com/a":          `"" is neither http nor https`,
		"ftp://hunter2@example.com/":   `"ftp" is neither http nor https`,
		"https:///hunter2":             "has no host",
		"https://a b.example.com/hunt": "is not a URL",
	} {
		_, err := newWebhook(target, "", noLog(), newMoments().pace())
		if got := ""; err != nil {
			if got = err.Error(); got != want {
				t.Errorf("%s: %s, want %s", target, got, want)
			}
		} else if want != "" {
			t.Errorf("%s is taken", target)
		}
	}
}
