package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// webhookSecret is the variable that holds the secret for signatures: an option would show it to everybody who lists processes.
	webhookSecret = "GATEPOST_WEBHOOK_SECRET"
	// webhookTimeout is for one request with its answer.
	webhookTimeout = 10 * time.Second
	// webhookPatience is how long an announcement is tried. Who was away for longer has other news.
	webhookPatience = 24 * time.Hour
	// maxRetryAfter is the longest that a server may ask to wait.
	maxRetryAfter = 15 * time.Minute
	maxRedirects  = 3
)

// webhook posts announcements to a URL.
type webhook struct {
	url       string
	secret    []byte // nil: requests are not signed
	client    *http.Client
	pace      pace
	complaint complaint
	failures  int // in a row: what comes next must not be tried more often than what failed
}

// newWebhook takes an absolute URL of http or https. Errors and logs name its host only: the rest of it is often a secret.
func newWebhook(target, secret string, log *slog.Logger, p pace) (*webhook, error) {
	u, err := url.Parse(target)
	switch {
	case err != nil:
		return nil, errors.New("is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%q is neither http nor https", u.Scheme)
	case u.Hostname() == "":
		return nil, errors.New("has no host")
	}
	w := &webhook{
		url: u.String(), pace: p,
		complaint: complaint{log: log.With("webhook", u.Scheme+"://"+u.Host), now: p.now},
		client: &http.Client{
			CheckRedirect: checkRedirect,
			Transport: &http.Transport{
				Proxy:                 http.ProxyFromEnvironment,
				TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
				ForceAttemptHTTP2:     true,
				MaxIdleConns:          1,
				MaxConnsPerHost:       1,
				IdleConnTimeout:       90 * time.Second,
				TLSHandshakeTimeout:   webhookTimeout,
				ResponseHeaderTimeout: webhookTimeout,
			},
		},
	}
	if secret != "" {
		w.secret = []byte(secret)
	}
	return w, nil
}

// checkRedirect follows where the same request may be made again: not without its body, as after a 301, and not from https to http.
// Where to is not told from where, since a URL of a webhook is often a secret.
func checkRedirect(req *http.Request, via []*http.Request) error {
	req.Header.Del("Referer")
	if len(via) > maxRedirects || req.Method != http.MethodPost || req.URL.Scheme != via[0].URL.Scheme {
		return http.ErrUseLastResponse
	}
	return nil
}

func (w *webhook) kind() string { return "webhook" }

func (w *webhook) end() { w.client.CloseIdleConnections() }

func (w *webhook) deliver(ctx context.Context, a *announcement) error {
	for {
		err := w.post(ctx, a)
		if err == nil {
			w.failures = 0
			w.complaint.works()
			return nil
		}
		if ctx.Err() != nil {
			return err
		}
		w.complaint.failed(err)
		var after time.Duration
		if r, ok := errors.AsType[*refusal](err); ok {
			if r.final {
				w.failures = 0 // it is there, and does not want this one
				return err
			}
			after = r.after
		}
		w.failures++
		w.pace.sleep(ctx, max(after, w.pace.pause(w.failures)))
		if ctx.Err() != nil || w.pace.now().Sub(a.heard) > webhookPatience {
			return err
		}
	}
}

// refusal is an answer that is no success.
type refusal struct {
	says  string
	final bool          // asking again would not help
	after time.Duration // that the server asks to wait
}

func (r *refusal) Error() string { return r.says }

// post makes one request.
func (w *webhook) post(ctx context.Context, a *announcement) error {
	ctx, cancel := context.WithTimeout(ctx, webhookTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(a.body))
	if err != nil {
		return errors.New("is not a URL")
	}
	at := strconv.FormatInt(w.pace.now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "gatepost/"+version())
	req.Header.Set("X-Gatepost-Event", a.Type)
	req.Header.Set("X-Gatepost-Delivery", a.ID)
	req.Header.Set("X-Gatepost-Timestamp", at)
	if w.secret != nil {
		req.Header.Set("X-Gatepost-Signature", "sha256="+sign(w.secret, at, a.body))
	}
	resp, err := w.client.Do(req)
	if err != nil {
		if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err // without the URL
		}
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("no answer within %s", webhookTimeout)
		}
		return err
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	return judgeAnswer(resp, w.pace.now())
}

// sign signs a body and the time at which it is sent, so that who has heard a request cannot make it again later.
func sign(secret []byte, at string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	io.WriteString(mac, at+".")
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

func judgeAnswer(resp *http.Response, now time.Time) error {
	code := resp.StatusCode
	switch {
	case 200 <= code && code < 300:
		return nil
	case 300 <= code && code < 400:
		to := "elsewhere"
		if u, err := resp.Location(); err == nil {
			to = u.Scheme + "://" + u.Host
		}
		return &refusal{says: fmt.Sprintf("answers %d and leads to %s, which is not followed", code, to), final: true}
	}
	return &refusal{
		says:  strings.TrimSpace(fmt.Sprintf("answers %d %s", code, http.StatusText(code))),
		final: 400 <= code && code < 500 && code != http.StatusRequestTimeout && code != http.StatusTooManyRequests,
		after: retryAfter(resp.Header.Get("Retry-After"), now),
	}
}

// retryAfter reads a header of that name: seconds, or a date.
func retryAfter(s string, now time.Time) time.Duration {
	var d time.Duration
	if n, err := strconv.ParseUint(s, 10, 31); err == nil {
		d = time.Duration(n) * time.Second
	} else if at, err := http.ParseTime(s); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}
