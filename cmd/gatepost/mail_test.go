package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	gomail "github.com/wneessen/go-mail"

	"gatepost"
	"gatepost/reports"
)

// postOffice is an SMTP server that takes mail of one user, and only over TLS.
type postOffice struct {
	password string
	refuse   string // what it says to every mail
	mails    []delivered
}

type delivered struct {
	user, from string
	to         []string
	data       []byte
}

func (p *postOffice) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &postSession{postOffice: p, conn: c}, nil
}

type postSession struct {
	*postOffice
	conn *smtp.Conn
	now  delivered
}

func (s *postSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *postSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "erp@example.com" || password != s.password {
			return smtp.ErrAuthFailed
		}
		s.now.user = user
		return nil
	}), nil
}

func (s *postSession) Mail(from string, _ *smtp.MailOptions) error {
	if _, secure := s.conn.TLSConnectionState(); !secure || s.now.user == "" {
		return smtp.ErrAuthRequired
	}
	s.now.from = from
	return nil
}

func (s *postSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.now.to = append(s.now.to, to)
	return nil
}

func (s *postSession) Data(r io.Reader) (err error) {
	if s.refuse != "" {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: s.refuse}
	}
	s.now.data, err = io.ReadAll(r)
	s.mails = append(s.mails, s.now)
	return err
}

func (s *postSession) Reset()        {}
func (s *postSession) Logout() error { return nil }

// open lets the server work until the test ends. It returns how it is reached.
func (p *postOffice) open(t *testing.T, secure bool) *smtpServer {
	t.Helper()
	own, trusted := certificate(t)
	s := smtp.NewServer(p)
	s.Domain, s.TLSConfig = "localhost", &tls.Config{Certificates: []tls.Certificate{own}}
	s.ErrorLog = discard{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "smtp://erp@example.com@" + l.Addr().String()
	if secure {
		l, address = tls.NewListener(l, s.TLSConfig), "smtps"+strings.TrimPrefix(address, "smtp")
	}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	to, err := newSMTPServer(address, "secret")
	if err != nil {
		t.Fatal(err)
	}
	to.tls = &tls.Config{ServerName: "localhost", RootCAs: trusted}
	return to
}

type discard struct{}

func (discard) Printf(string, ...any) {}
func (discard) Println(...any)        {}

// certificate makes one for localhost, and who trusts it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, of, of, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

var mailDay = time.Date(2026, time.November, 21, 0, 0, 0, 0, time.UTC)

func mailEnv(vars map[string]string) *env {
	return &env{getenv: func(name string) string { return vars[name] }, now: func() time.Time { return mailDay.Add(30 * time.Hour) }}
}

func mailModel(host string) *gatepost.Model {
	at := gatepost.TimeOf(mailDay.Add(14 * time.Hour))
	return &gatepost.Model{Made: at, Zone: time.UTC, From: at, To: at, Requests: 10, Statuses: map[int]int64{502: 1}, Watched: []int{502, 504},
		Since: gatepost.TimeOf(mailDay), Until: gatepost.TimeOf(mailDay.Add(24*time.Hour - 1)),
		Sources: []gatepost.Source{{ID: 1, Path: "access.log", Host: host, Format: "nginx_access"}},
		Failures: gatepost.FailureList{{ID: "f-1", Time: at, Status: 502, Method: "GET", Path: "/web", Client: "10.0.0.1", Incident: "i-01",
			Verdict: gatepost.Verdict{Cause: "oom_kill", Confidence: .99, State: gatepost.Final}}},
		Incidents: []gatepost.Incident{{ID: "i-01", From: at, To: at, Cause: "oom_kill", Instance: "kernel killed «größer»", Confidence: .99, Failures: 1, Clients: 1,
			Fix: []gatepost.Advice{{Do: "give it more memory"}}}},
	}
}

func newMailing(to carrier) *mailing {
	return &mailing{to: []*mail.Address{{Address: "ops@example.com"}, {Name: "Büro", Address: "office@example.com"}},
		from: &mail.Address{Name: "gatepost", Address: "erp@example.com"}, host: "erp1", carrier: to}
}

// letterOf takes a delivered mail apart.
func letterOf(t *testing.T, data []byte) (header mail.Header, subject, text, filename string, page []byte) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/mixed" {
		t.Fatalf("content type %q, %v", kind, err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			return m.Header, subject, text, filename, page
		}
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		var body io.Reader = base64.NewDecoder(base64.StdEncoding, part)
		if part.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
			body = quotedprintable.NewReader(part)
		}
		data, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		switch kind {
		case "text/plain":
			text = string(data)
		case "text/html":
			filename, page = part.FileName(), data
		default:
			t.Errorf("a part of type %q", kind)
		}
	}
}

// TestMail sends the report through a real server: with STARTTLS and with TLS from the start, and with a password.
func TestMail(t *testing.T) {
	for name, secure := range map[string]bool{"STARTTLS": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			office := &postOffice{password: "secret"}
			m := newMailing(office.open(t, secure))
			if err := m.send(t.Context(), mailEnv(nil), mailModel("erp1.example.com"), mailDay); err != nil {
				t.Fatal(err)
			}
			if len(office.mails) != 1 {
				t.Fatalf("%d mails", len(office.mails))
			}
			got := office.mails[0]
			if got.user != "erp@example.com" || got.from != "erp@example.com" || !slices.Equal(got.to, []string{"ops@example.com", "office@example.com"}) {
				t.Errorf("from %s by %s to %v", got.from, got.user, got.to)
			}
			header, subject, text, filename, page := letterOf(t, got.data)
			if want := "erp1.example.com: 1 request failed (oom_kill), 21 November 2026"; subject != want {
				t.Errorf("subject %q, want %q", subject, want)
			}
			for _, want := range []string{"1 request failed for 1 person", "kernel killed «größer»", "do: give it more memory", "erp1.example.com"} {
				if !strings.Contains(text, want) {
					t.Errorf("the text does not say %q:\n%s", want, text)
				}
			}
			if date, err := header.Date(); err != nil || !date.Equal(mailDay.Add(30*time.Hour)) {
				t.Errorf("date %v, %v", date, err)
			}
			if id := header.Get("Message-Id"); !strings.HasSuffix(id, "@example.com>") || len(id) < 30 {
				t.Errorf("message ID %q", id)
			}
			if from := header.Get("From"); from != `"gatepost" <erp@example.com>` || header.Get("Auto-Submitted") != "auto-generated" {
				t.Errorf("headers %q", header)
			}
			if filename != "gatepost-2026-11-21.html" || !bytes.HasPrefix(page, []byte("<!doctype html>")) {
				t.Errorf("attached %s, %.80q", filename, page)
			}
		})
	}
}

// TestMailHostile: what strangers wrote cannot begin a header of its own.
func TestMailHostile(t *testing.T) {
	office := &postOffice{password: "secret"}
	m := newMailing(office.open(t, false))
	model := mailModel("erp\r\nBcc: thief@example.com\r\n\r\n<b>\x1b[31m\u202e größer")
	model.Incidents[0].Instance = "killed\r\n.\r\nMAIL FROM:<thief@example.com>\r\n"
	if err := m.send(t.Context(), mailEnv(nil), model, mailDay); err != nil {
		t.Fatal(err)
	}
	if len(office.mails) != 1 || len(office.mails[0].to) != 2 {
		t.Fatalf("mails: %v", office.mails)
	}
	header, subject, text, _, _ := letterOf(t, office.mails[0].data)
	if header.Get("Bcc") != "" || strings.ContainsAny(subject, "\r\n\x1b\u202e") || !strings.Contains(subject, "größer") {
		t.Errorf("subject %q, headers %q", subject, header)
	}
	if strings.ContainsAny(text, "\x1b\u202e") || !strings.Contains(text, "thief") {
		t.Errorf("text %q", text)
	}
	for line := range strings.SplitSeq(string(office.mails[0].data), "\r\n") {
		if len(line) > 998 || strings.ContainsAny(line, "\r\n") {
			t.Errorf("line of %d bytes: %.80q", len(line), line)
		}
	}
}

// TestMailTrouble: a server that refuses, one that says nothing, one that nobody vouches for, a wrong password. Each is an error in time.
func TestMailTrouble(t *testing.T) {
	send := func(t *testing.T, to carrier, want string) {
		t.Helper()
		err := newMailing(to).send(t.Context(), mailEnv(nil), mailModel("erp1"), mailDay)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the password stands in %v", err)
		}
	}
	t.Run("refused", func(t *testing.T) {
		send(t, (&postOffice{password: "secret", refuse: "too many mails today"}).open(t, false), "too many mails today")
	})
	t.Run("password", func(t *testing.T) {
		send(t, (&postOffice{password: "another"}).open(t, false), "535")
	})
	t.Run("certificate", func(t *testing.T) {
		to := (&postOffice{password: "secret"}).open(t, false)
		to.tls = nil
		send(t, to, "x509")
	})
	t.Run("silence", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		to, err := newSMTPServer("smtp://erp@"+l.Addr().String(), "secret")
		if err != nil {
			t.Fatal(err)
		}
		to.pause = 50 * time.Millisecond
		send(t, to, "timeout")
	})
	t.Run("nobody", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		to, err := newSMTPServer("smtp://"+l.Addr().String(), "")
		if err != nil {
			t.Fatal(err)
		}
		send(t, to, "connection refused")
	})
}

// TestSendmail hands a mail to a program, and tells what it says when it fails.
func TestSendmail(t *testing.T) {
	dir := t.TempDir()
	program := func(text string) *sendmail {
		path := filepath.Join(dir, "sendmail")
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
		return &sendmail{path, append(lent(append(os.Environ(), mailPassword+"=secret")), "TO="+dir)}
	}
	m := newMailing(program(`env >"$TO/env"; echo "$@" >"$TO/args"; cat >"$TO/mail"`))
	if err := m.send(t.Context(), mailEnv(nil), mailModel("erp1"), mailDay); err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	header, subject, _, _, page := letterOf(t, []byte(read("mail")))
	if header.Get("To") == "" || subject == "" || len(page) == 0 || read("args") != "-oi -t\n" || strings.Contains(read("env"), "secret") {
		t.Errorf("headers %q, arguments %q", header, read("args"))
	}
	m.carrier = program(`cat >/dev/null; echo "queue is full" >&2; exit 75`)
	if err := m.send(t.Context(), mailEnv(nil), mailModel("erp1"), mailDay); err == nil || !strings.HasSuffix(err.Error(), "exit status 75: queue is full") {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m.carrier = program(`sleep 1000`)
	if err := m.send(ctx, mailEnv(nil), mailModel("erp1"), mailDay); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// TestMailOnlyIf: a night without failures is not mailed when only failures are of interest.
func TestMailOnlyIf(t *testing.T) {
	sent := 0
	m := newMailing(carrierFunc(func() { sent++ }))
	m.failures = true
	quiet := mailModel("erp1")
	quiet.Failures, quiet.Incidents = gatepost.FailureList{}, nil
	for _, model := range []*gatepost.Model{quiet, mailModel("erp1")} {
		if err := m.send(t.Context(), mailEnv(nil), model, mailDay); err != nil {
			t.Fatal(err)
		}
	}
	if sent != 1 {
		t.Errorf("%d mails", sent)
	}
	letter, err := reports.NewLetter(quiet, "erp1")
	if err != nil || letter.Subject != "erp1: nothing failed, 21 November 2026" {
		t.Errorf("%v, %v", letter, err)
	}
}

// TestMailSettings: what is wrong is said before any log is read.
func TestMailSettings(t *testing.T) {
	for _, c := range []struct {
		flags mailFlags
		vars  map[string]string
		want  string // of the error, or who the mail is from
	}{
		{mailFlags{onlyIf: "failures"}, nil, "--mail-only-if: there is no --mail-to"},
		{mailFlags{to: []string{"ops@example.com"}, onlyIf: "rain"}, nil, `--mail-only-if: unknown condition "rain"`},
		{mailFlags{to: []string{"ops@example.com\r\nBcc: x@example.com"}}, nil, "is no address"},
		{mailFlags{to: []string{"ops@example.com"}}, map[string]string{mailServer: "http://example.com"}, `"http" is neither smtp nor smtps`},
		{mailFlags{to: []string{"ops@example.com"}}, map[string]string{mailServer: "smtp://"}, "has no host"},
		{mailFlags{to: []string{"ops@example.com"}}, map[string]string{mailServer: "smtp://a:b@example.com"}, "the password belongs into GATEPOST_SMTP_PASSWORD"},
		{mailFlags{to: []string{"ops@example.com"}}, map[string]string{mailServer: "smtp://a@example.com"}, "has a user, but GATEPOST_SMTP_PASSWORD is not set"},
		{mailFlags{to: []string{"ops@example.com"}}, map[string]string{mailServer: "smtp://example.com", mailPassword: "x"}, "has no user"},
		{mailFlags{to: []string{"ops@example.com"}}, map[string]string{mailServer: "smtp://example.com:99999"}, "is no port"},
		{mailFlags{to: []string{"ops@example.com"}}, map[string]string{mailServer: "smtp://example.com", mailSender: "nobody"}, `GATEPOST_MAIL_FROM: "nobody" is no address`},
		{mailFlags{to: []string{"ops@example.com"}}, map[string]string{mailServer: "smtp://erp@example.com@smtp.example.com", mailPassword: "x"}, "erp@example.com"},
		{mailFlags{to: []string{"ops@example.com"}}, map[string]string{mailServer: "smtp://erp%40example.com@smtp.example.com:2525", mailPassword: "x"}, "erp@example.com"},
		{mailFlags{to: []string{"ops@example.com"}}, map[string]string{mailServer: "smtps://example.com", mailSender: "Night <night@example.com>"}, "night@example.com"},
	} {
		m, err := c.flags.resolve(mailEnv(c.vars))
		if err != nil && !strings.Contains(err.Error(), c.want) || err == nil && m.from.Address != c.want {
			t.Errorf("%v %v: %v, %v, want %q", c.flags, c.vars, m, err, c.want)
		}
	}
	for address, port := range map[string]int{"smtp://example.com": 587, "smtps://example.com": 465, "smtp://localhost": 25, "smtp://[::1]": 25, "smtp://example.com:2525": 2525} {
		if s, err := newSMTPServer(address, ""); err != nil || s.port != port {
			t.Errorf("%s: %v, %v", address, s, err)
		}
	}
}

type carrierFunc func()

func (f carrierFunc) carry(context.Context, *gomail.Msg) error { f(); return nil }
