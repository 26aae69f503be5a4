package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/mail"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	gomail "github.com/wneessen/go-mail"

	"gatepost"
	"gatepost/reports"
)

// Where mail goes is told by the environment: a password among the options would be seen by everybody who lists processes, and a cron line is
// short.
const (
	mailServer   = "GATEPOST_SMTP"          // smtp://user@host:587, smtps://user@host:465; without it there must be a sendmail
	mailPassword = "GATEPOST_SMTP_PASSWORD" // of the user in it
	mailSender   = "GATEPOST_MAIL_FROM"     // address, or Name <address>
)

const (
	// mailPause is how long a server may be silent.
	mailPause = 30 * time.Second
	// mailLimit is how long sending may take in all.
	mailLimit = 3 * time.Minute
)

const mailDoc = `

With --mail-to the report is mailed: what happened and what to do as text, and the page
as an attachment. The variable GATEPOST_SMTP names the server, as smtp://USER@HOST:587
(STARTTLS) or smtps://USER@HOST:465 (TLS from the start), GATEPOST_SMTP_PASSWORD holds
the password, GATEPOST_MAIL_FROM the sender. Without GATEPOST_SMTP the program sendmail of
this machine takes the mail. A report that could not be mailed is made all the same; then
the exit status is 5.`

// mailFlags are the options about mail, as they were typed.
type mailFlags struct {
	to     []string
	onlyIf string
}

func (f *mailFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringArrayVar(&f.to, "mail-to", nil, "mail the report to `ADDRESS`, with the page attached; repeatable")
	fs.StringVar(&f.onlyIf, "mail-only-if", "", "mail it only if `CONDITION` holds: failures")
	completeWith(cmd, "mail-only-if", func() []string { return []string{"failures"} })
	cmd.Long += mailDoc
}

// mailing is what mailFlags and the environment mean.
type mailing struct {
	to       []*mail.Address
	from     *mail.Address
	host     string // of this machine, "" when not known
	failures bool   // only if there are any
	carrier  carrier
}

// carrier takes a mail to where it is delivered.
type carrier interface {
	carry(context.Context, *gomail.Msg) error
}

// resolve returns nil when nothing is to be mailed.
func (f *mailFlags) resolve(e *env) (*mailing, error) {
	switch {
	case len(f.to) == 0 && f.onlyIf != "":
		return nil, usage("--mail-to ops@example.com", "--mail-only-if: there is no --mail-to")
	case len(f.to) == 0:
		return nil, nil
	case f.onlyIf != "" && f.onlyIf != "failures":
		return nil, usage("--mail-only-if failures", "--mail-only-if: unknown condition %q", f.onlyIf)
	}
	m := &mailing{failures: f.onlyIf != ""}
	m.host, _ = os.Hostname()
	for _, to := range f.to {
		a, err := mail.ParseAddress(to)
		if err != nil {
			return nil, usage("--mail-to ops@example.com", "--mail-to: %q is no address", to)
		}
		m.to = append(m.to, a)
	}
	var user string
	var err error
	if server := e.getenv(mailServer); server != "" {
		var s *smtpServer
		if s, err = newSMTPServer(server, e.getenv(mailPassword)); err != nil {
			return nil, usage(mailServer+"=smtp://user@smtp.example.com:587", "%s: %w", mailServer, err)
		}
		user, m.carrier = s.user, s
	} else if m.carrier, err = findSendmail(os.Environ()); err != nil {
		return nil, usage(mailServer+"=smtp://user@smtp.example.com:587", "--mail-to: %s is not set, and this machine has no sendmail", mailServer)
	}
	m.from, err = m.sender(e, user)
	return m, err
}

// sender is who a mail is from. Most servers let a user write only as what he is called there.
func (m *mailing) sender(e *env, user string) (*mail.Address, error) {
	if from := e.getenv(mailSender); from != "" {
		a, err := mail.ParseAddress(from)
		if err != nil {
			return nil, usage(mailSender+"=gatepost@example.com", "%s: %q is no address", mailSender, from)
		}
		return a, nil
	}
	if a, err := mail.ParseAddress(user); err == nil {
		return &mail.Address{Name: "gatepost", Address: a.Address}, nil
	}
	return &mail.Address{Name: "gatepost", Address: "gatepost@" + cmp.Or(m.host, "localhost")}, nil
}

// send mails the report of a model, unless nothing happened that was asked for.
func (m *mailing) send(ctx context.Context, e *env, model *gatepost.Model, day time.Time) error {
	if m.failures {
		if holds, err := (condition{}).holds(model); err != nil || !holds {
			return err
		}
	}
	msg, err := m.compose(e, model, day)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, mailLimit)
	defer cancel()
	return m.carrier.carry(ctx, msg)
}

func (m *mailing) compose(e *env, model *gatepost.Model, day time.Time) (*gomail.Msg, error) {
	letter, err := reports.NewLetter(model, m.host)
	if err != nil {
		return nil, err
	}
	var page bytes.Buffer
	if err := reports.Lookup("html").Render(&page, model, reports.Options{}); err != nil {
		return nil, err
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	msg.FromMailAddress(m.from)
	msg.ToMailAddress(m.to...)
	msg.Subject(letter.Subject)
	msg.SetDateWithValue(e.now())
	_, domain, _ := strings.Cut(m.from.Address, "@")
	msg.SetMessageIDWithValue(rand.Text() + "@" + domain)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // no answer that somebody is on holiday
	msg.SetUserAgent("gatepost/" + version())
	msg.SetBodyString(gomail.TypeTextPlain, letter.Text)
	err = msg.AttachReader("gatepost-"+day.Format(time.DateOnly)+".html", &page, gomail.WithFileContentType("text/html; charset=utf-8"))
	return msg, err
}

// smtpServer is a server that takes mail for others.
type smtpServer struct {
	host, user, password string
	port                 int
	secure               bool          // TLS from the start
	local                bool          // on this machine: there TLS protects nothing, and its certificate is rarely valid
	tls                  *tls.Config   // nil: what the machine trusts
	pause                time.Duration // that the server may be silent
}

func newSMTPServer(address, password string) (*smtpServer, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("is not a URL")
	}
	s := &smtpServer{host: u.Hostname(), user: u.User.Username(), password: password, secure: u.Scheme == "smtps", pause: mailPause}
	_, told := u.User.Password()
	switch {
	case u.Scheme != "smtp" && u.Scheme != "smtps":
		return nil, fmt.Errorf("%q is neither smtp nor smtps", u.Scheme)
	case s.host == "":
		return nil, errors.New("has no host")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("has something behind the host")
	case told:
		return nil, errors.New("the password belongs into " + mailPassword)
	case s.user != "" && password == "":
		return nil, errors.New("has a user, but " + mailPassword + " is not set")
	case s.user == "" && password != "":
		return nil, errors.New("has no user, but " + mailPassword + " is set")
	}
	ip := net.ParseIP(s.host)
	s.local = s.host == "localhost" || ip != nil && ip.IsLoopback()
	switch port := u.Port(); {
	case port != "":
		if s.port, err = strconv.Atoi(port); err != nil || s.port < 1 || s.port > 65535 {
			return nil, fmt.Errorf("%q is no port", port)
		}
	case s.secure:
		s.port = 465
	case s.local && s.user == "":
		s.port = 25
	default:
		s.port = 587
	}
	return s, nil
}

func (s *smtpServer) carry(ctx context.Context, msg *gomail.Msg) error {
	options := []gomail.Option{gomail.WithPort(s.port), gomail.WithTimeout(s.pause), gomail.WithTLSPolicy(gomail.TLSMandatory)}
	switch {
	case s.secure:
		options = append(options, gomail.WithSSL())
	case s.local && s.user == "":
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	}
	if s.user != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(s.user), gomail.WithPassword(s.password))
	}
	config := &tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12}
	if s.tls != nil {
		config = s.tls
	}
	client, err := gomail.NewClient(s.host, append(options, gomail.WithTLSConfig(config))...)
	if err != nil {
		return err
	}
	if err := client.DialAndSendWithContext(ctx, msg); err != nil {
		return fmt.Errorf("%s: %w", net.JoinHostPort(s.host, strconv.Itoa(s.port)), err)
	}
	return nil
}

// sendmail is the program of that name, which every mail server of a Unix machine brings.
type sendmail struct {
	path string
	env  []string
}

func findSendmail(environ []string) (*sendmail, error) {
	for _, name := range []string{"sendmail", "/usr/sbin/sendmail", "/usr/lib/sendmail"} {
		if path, err := exec.LookPath(name); err == nil {
			return &sendmail{path, lent(environ)}, nil
		}
	}
	return nil, exec.ErrNotFound
}

// carry hands the mail over. The receivers stand in it, so none of them can be taken for an option.
func (s *sendmail) carry(ctx context.Context, msg *gomail.Msg) error {
	var text, said bytes.Buffer
	if _, err := msg.WriteTo(&text); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, s.path, "-oi", "-t")
	cmd.Env, cmd.Stdin, cmd.WaitDelay = s.env, &text, time.Second
	cmd.Stdout = &firstBytes{&said, mailSaid}
	cmd.Stderr = cmd.Stdout
	ownGroup(cmd)
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", s.path, ctx.Err())
	case err != nil && said.Len() > 0:
		return fmt.Errorf("%s: %w: %s", s.path, err, strings.TrimSpace(said.String()))
	case err != nil:
		return fmt.Errorf("%s: %w", s.path, err)
	}
	return nil
}

// mailSaid is how many bytes are told of what sendmail says.
const mailSaid = 500

// firstBytes keeps as many bytes as there is room for and drops the rest.
type firstBytes struct {
	w    io.Writer
	left int
}

func (f *firstBytes) Write(b []byte) (int, error) {
	n := min(len(b), f.left)
	f.left -= n
	f.w.Write(b[:n])
	return len(b), nil
}
