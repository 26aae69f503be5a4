// Package redact hides people in what is printed: client addresses, user names, mail addresses, secrets, what stands in
// queries and names of records in paths, and the values in SQL. In their place come stand-ins such as client-7f3a09c2.
//
// The eight digits are a keyed hash of the value (HMAC with SHA-256), so equal values have equal digits, whatever word stands
// before them, and nobody without the key can try which value gives them. Without a key that would take a second for all
// addresses of IPv4. What stays and what goes is documented in docs/privacy.md.
//
// All texts are written by strangers. Where it is not clear what a word is, the rules rather hide it, but a name among ordinary words
// is not recognised.
package redact

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"

	"gatepost"
)

// Redactor hides values by what they mean. It may be used from several goroutines once it has learned all it shall.
type Redactor struct {
	key     []byte
	servers map[netip.Addr]bool
	hashes  map[uint64]string // addresses of servers by their gatepost.HashOf
	files   []string          // what begins like one of these is a file
	formats map[int]string    // of the sources, by ID
}

// New returns a Redactor that hashes with a key; it keeps the key.
func New(key []byte) *Redactor {
	r := &Redactor{key: key, servers: map[netip.Addr]bool{}, hashes: map[uint64]string{}, formats: map[int]string{}}
	for _, a := range []string{"127.0.0.1", "::1"} {
		r.server(a)
	}
	return r
}

// Learn takes from a model what stays readable: the addresses of upstream servers, and paths of files. The stand-ins do not
// depend on it.
func (r *Redactor) Learn(m *gatepost.Model) error {
	r.Files(m.Paths...)
	for i := range m.Sources {
		s := &m.Sources[i]
		r.Files(s.Path)
		r.formats[s.ID] = s.Format
	}
	for _, x := range m.Setup {
		r.Files(x.File)
		switch x.Name {
		case "server", "proxy_pass", "db_host", "http_interface", "xmlrpc_interface", "listen_addresses":
			r.serversIn(x.Value)
		case "logfile", "data_dir", "access_log", "error_log":
			r.Files(strings.Fields(x.Value)...)
		}
	}
	if m.Failures == nil {
		return nil
	}
	last := ""
	for f, err := range m.Failures.Entries() {
		if err != nil {
			return err
		}
		if f.Upstream != last {
			last = f.Upstream
			r.serversIn(last)
		}
	}
	return nil
}

// Files says which paths are those of files. A path that goes on behind one of them is one too.
func (r *Redactor) Files(paths ...string) {
	for _, p := range paths {
		if p = strings.TrimRight(p, "/"); strings.HasPrefix(p, "/") {
			r.files = append(r.files, p)
		}
	}
}

func (r *Redactor) serversIn(text string) {
	for _, word := range strings.FieldsFunc(text, func(c rune) bool { return c <= ' ' || strings.ContainsRune(`,;"'/`, c) }) {
		if a, err := netip.ParseAddrPort(word); err == nil {
			r.server(a.Addr().String())
		} else {
			r.server(strings.Trim(word, "[]"))
		}
	}
}

func (r *Redactor) server(text string) {
	if a, ok := address(text); ok {
		r.servers[a] = true
		r.hashes[gatepost.HashOf(text)] = text
	}
}

// The words of stand-ins say what a value was taken for.
const (
	kindClient = "client"
	kindMail   = "mail"
	kindUser   = "user"
	kindToken  = "token"
	kindText   = "text"
	kindNumber = "number"
	kindRecord = "record"
)

var kinds = [...]string{kindClient, kindMail, kindUser, kindToken, kindText, kindNumber, kindRecord}

// standInDigits are how many hexadecimal digits a stand-in has: among ten thousand values two share them once in a
// hundred installations.
const standInDigits = 8

// standIn hides a value. The first digit is a decimal one, so that a path has the same shape whichever digits come.
func (r *Redactor) standIn(kind, value string) string {
	if value == "" || isStandIn(value) {
		return value
	}
	sum := r.sum('v', value)
	return kind + "-" + string('0'+byte(sum>>60)%10) + strconv.FormatUint(sum&(1<<28-1)|1<<28, 16)[1:]
}

// hidden hides a value by its shape, or else as what its place says.
func (r *Redactor) hidden(kind, value string) string {
	if a, ok := address(value); ok {
		return r.client(a, value)
	}
	if isMail(value) {
		return r.standIn(kindMail, strings.ToLower(value))
	}
	if kind == kindText && isNumber(value) {
		kind = kindNumber
	}
	return r.standIn(kind, value)
}

// client hides an address, unless it is one of a server. It goes by the hash that requests carry, so that they get the
// same stand-in.
func (r *Redactor) client(a netip.Addr, text string) string {
	if a.IsLoopback() || a.IsUnspecified() || r.servers[a] {
		return text
	}
	return r.standIn(kindClient, hashName(gatepost.HashOf(a.String())))
}

// clientHash hides the hash of an address: it is not keyed, and there are few addresses.
func (r *Redactor) clientHash(hash uint64) string {
	if text, ok := r.hashes[hash]; ok {
		return text
	}
	return r.standIn(kindClient, hashName(hash))
}

func hashName(hash uint64) string { return "address " + strconv.FormatUint(hash, 16) }

// number hides a hash of something that can be guessed, and keeps equal ones equal.
func (r *Redactor) number(n int64) int64 {
	return int64(r.sum('n', strconv.FormatInt(n, 10)) >> 1)
}

func (r *Redactor) sum(domain byte, value string) uint64 {
	h := hmac.New(sha256.New, r.key)
	h.Write([]byte{domain})
	h.Write([]byte(value))
	return binary.BigEndian.Uint64(h.Sum(nil))
}

// isStandIn reports whether a value is hidden already.
func isStandIn(s string) bool {
	kind, digits, ok := strings.Cut(s, "-")
	if !ok || len(digits) != standInDigits || strings.Trim(digits, "0123456789abcdef") != "" {
		return false
	}
	for _, k := range kinds {
		if k == kind {
			return true
		}
	}
	return false
}

// address reads an address; one of IPv4 within IPv6 is that of IPv4.
func address(s string) (netip.Addr, bool) {
	if len(s) < 2 || len(s) > 60 {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(s)
	return a.Unmap(), err == nil
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789.-+") == "" }
