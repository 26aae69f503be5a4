package redact

import (
	"net/url"
	"slices"
	"strings"
)

// Path hides what is personal in the path of a request, or in a URL. Words of routes stay: /web/dataset/call_kw/sale.order/read. A
// segment with a digit, a hyphen, a capital or anything else names a record, and so may each value of the query.
func (r *Redactor) Path(s string) string { return r.within(s, r.path) }

func (r *Redactor) path(s string) string {
	if i := strings.Index(s, "://"); i > 0 && i < 12 {
		return r.url(s, i+3)
	}
	rest := len(s)
	if i := strings.IndexAny(s, "?#;"); i >= 0 {
		rest = i
	}
	return r.segments(s[:rest]) + r.queries(s[rest:])
}

func (r *Redactor) segments(s string) string {
	parts := strings.Split(s, "/")
	if len(parts) > 3 && parts[2] == "static" { // files of a module
		for i := 3; i < len(parts); i++ {
			parts[i] = r.shapes(parts[i])
		}
		return strings.Join(parts, "/")
	}
	for i, p := range parts {
		if i > 0 && slices.Contains(peopleIn, parts[i-1]) && strings.IndexByte(p, '.') < 0 {
			parts[i] = r.hidden(kindUser, decoded(p))
		} else if !routeWord(p) && !(i > 0 && parts[i-1] == "xmlrpc" && len(p) == 1) {
			parts[i] = r.hidden(kindRecord, decoded(p))
		}
	}
	return strings.Join(parts, "/")
}

// peopleIn are segments behind which people are named, whatever the name looks like.
var peopleIn = []string{"home", "u", "user", "users", "profile", "member", "members", "author"}

// routeWordLimit is how long a word of a route may be.
const routeWordLimit = 48

// routeWord reports whether a segment belongs to a route: small letters, as modules, models and methods have, a version, a language.
func routeWord(s string) bool {
	if len(s) > routeWordLimit {
		return false
	}
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_.*") == "" {
		return true
	}
	if s[0] == 'v' && len(s) <= 3 && strings.Trim(s[1:], "0123456789") == "" {
		return true
	}
	return len(s) == 5 && s[2] == '_' && s[0] >= 'a' && s[1] >= 'a' && 'A' <= s[3] && s[3] <= 'Z' && 'A' <= s[4] && s[4] <= 'Z'
}

// queries hides the values of queries and fragments, each with the mark that it begins with.
func (r *Redactor) queries(s string) string {
	var b strings.Builder
	for s != "" {
		b.WriteByte(s[0])
		s = s[1:]
		n := strings.IndexAny(s, "&;?#")
		if n < 0 {
			n = len(s)
		}
		b.WriteString(r.pair(s[:n]))
		s = s[n:]
	}
	return b.String()
}

// technical are the keys whose values stay when they look like what Odoo calls its own parts.
var technical = []string{"model", "field", "db", "debug", "view_type", "lang", "method", "download"}

func (r *Redactor) pair(s string) string {
	key, value, ok := strings.Cut(s, "=")
	if !ok {
		if routeWord(s) && (s == "debug" || strings.Contains(s, "_") || strings.Contains(s, ".")) {
			return s // Odoo 19 writes the method of the model there
		}
		return r.hidden(kindText, decodedQuery(s))
	}
	name := strings.ToLower(decodedQuery(key))
	if len(key) > routeWordLimit || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_.-[]") != "" {
		key = r.hidden(kindText, decodedQuery(key))
	} else {
		key = r.shapes(key)
	}
	plain := decodedQuery(value)
	switch {
	case secretKey(name) || slices.Contains(secretInQuery, name):
		return key + "=" + r.standIn(kindToken, plain)
	case userKey(name):
		return key + "=" + r.hidden(kindUser, plain)
	case slices.Contains(technical, name) && len(value) <= routeWordLimit && strings.Trim(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") == "" && !isNumber(value) && !looksSecret(value):
		return key + "=" + r.shapes(value)
	}
	return key + "=" + r.hidden(kindText, plain)
}

// secretInQuery are short keys that hold a secret where they stand in a query.
var secretInQuery = []string{"key", "sig", "sid", "auth", "code", "otp", "hash", "state", "ticket", "nonce"}

// url hides the user and password of a URL, and what Path hides; from is where its authority begins. A password may hold
// the marks that end an authority, so with one all up to the last @ counts as that.
func (r *Redactor) url(s string, from int) string {
	to := len(s)
	if i := strings.IndexAny(s[from:], "/?#"); i >= 0 {
		to = from + i
	}
	_, port, ok := strings.Cut(s[from:to], ":")
	isPort := !ok || strings.Trim(port, "0123456789:abcdefABCDEF]") == ""
	out := s[:from]
	if strings.IndexByte(s[from:to], '@') >= 0 || !isPort {
		at := strings.LastIndexByte(s[from:], '@')
		if at < 0 {
			return out + r.standIn(kindToken, s[from:])
		}
		user, password, ok := strings.Cut(s[from:from+at], ":")
		out += r.hidden(kindUser, decoded(user))
		if ok {
			out += ":" + r.standIn(kindToken, decoded(password))
		}
		out += "@"
		from += at + 1
		to = len(s)
		if i := strings.IndexAny(s[from:], "/?#"); i >= 0 {
			to = from + i
		}
	}
	return out + r.shapes(s[from:to]) + r.Path(s[to:])
}

func decoded(s string) string {
	if d, err := url.PathUnescape(s); err == nil {
		return d
	}
	return s
}

func decodedQuery(s string) string {
	if d, err := url.QueryUnescape(s); err == nil {
		return d
	}
	return s
}

// secretWords are parts of the names of secrets.
var secretWords = []string{"passw", "passphrase", "pwd", "secret", "token", "apikey", "api_key", "api-key", "session_id", "session-id", "sessionid", "sessid", "csrf", "credential", "authorization", "signature", "private_key", "access_key", "accesskey", "cookie", "jwt"}

// secretKey reports whether a key, in small letters, names a secret.
func secretKey(key string) bool {
	return key == "session" || slices.ContainsFunc(secretWords, func(w string) bool { return strings.Contains(key, w) })
}

func userKey(key string) bool {
	switch key {
	case "user", "username", "user_name", "remote_user", "login", "usr", "email", "mail", "account", "signup_email":
		return true
	}
	return false
}

// File hides the user in the path of a home directory; the rest of files' paths stays.
func (r *Redactor) File(s string) string {
	for _, home := range [...]string{"/home/", "/Users/"} {
		if i := strings.Index(s, home); i >= 0 {
			from := i + len(home)
			to := len(s)
			if n := strings.IndexByte(s[from:], '/'); n >= 0 {
				to = from + n
			}
			return s[:from] + r.standIn(kindUser, s[from:to]) + s[to:]
		}
	}
	return s
}
