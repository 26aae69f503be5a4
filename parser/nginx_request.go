package parser

import (
	"bytes"
	"encoding/binary"
	"strings"
	"time"

	"gatepost"
)

// accessReader reads access lines. What it says of the last one are pieces of that line, or of
// its own scratch memory.
type accessReader struct {
	formats []*logFormat // tried in this order
	own     *logFormat   // the format of the source; only others have to fit whole

	format  *logFormat // that fitted
	values  accessLine
	plain   bool // values holds nothing but a request
	fields  int  // key=value fields
	stamp   accessStamp
	status  int
	took    time.Duration
	size    int64 // sent to the client, -1 when not told
	client  []byte
	hop     hop           // of a gateway that makes one try
	ended   gatepost.Time // when the last request of the block ended, NoTime before the first
	scratch []byte

	recent    [256]recentRequest
	lastTime  [32]byte // the stamp before this one, as text and value: mostly they are the same
	lastLen   int
	lastStamp accessStamp

	// What readCombined expects between client and request, and the stamp in it.
	between  [len(noUser) + timeLocal + len(openRequest)]byte
	expected accessStamp
}

// What stands between client and request of the most usual line.
const (
	noUser      = " - - ["
	timeLocal   = len("22/Nov/2026:14:08:41 +0000")
	openRequest = `] "`
)

// forget drops the pieces of the last line.
func (r *accessReader) forget() {
	r.values, r.client, r.plain, r.hop = accessLine{}, nil, true, hop{}
}

// read reports whether the line is an access line: one with a status and a time. Nothing else
// has to be right in it.
func (r *accessReader) read(line []byte) bool {
	if len(line) > 0 && line[0] == 0 {
		line = bytes.TrimLeft(line, "\x00") // the hole that a truncated file leaves
	}
	if r.own == combined && r.readCombined(line) {
		return true
	}
	for _, f := range r.formats {
		if f != r.own && !f.json && !f.fields && !f.whole(line) {
			continue
		}
		r.values, r.plain = accessLine{}, false
		r.fields = 0
		switch {
		case f.json:
			if !r.values.learnJSON(line) {
				continue
			}
		default:
			fitted, rest := f.read(&r.values, line, f.needed)
			if f.fields && fitted == f.needed && len(rest) > 0 {
				r.fields = r.values.learnFields(rest)
			}
		}
		if r.understand(f) {
			return true
		}
	}
	return false
}

// readCombined reads the most usual line of all, which is most of all lines, three times as fast as the
// steps of its format do. It leaves alone whatever is not exactly that: a user, fields behind it, quotes in
// odd places. What it reads, it reads as they do.
func (r *accessReader) readCombined(line []byte) bool {
	i := bytes.IndexByte(line, ' ')
	if i < 0 || len(line) < i+len(r.between)+len(`" 200 0 "" ""`) {
		return false
	}
	rest := line[i:]
	if string(rest[:len(r.between)]) != string(r.between[:]) && !r.expect(rest) {
		return false
	}
	rest = rest[len(r.between):]
	end := bytes.IndexByte(rest, '"')
	if end < 0 || len(rest) < end+len(`" 200 0 "" ""`) {
		return false
	}
	request, rest := rest[:end], rest[end:]
	a, b, c := rest[2]-'0', rest[3]-'0', rest[4]-'0'
	if rest[1] != ' ' || rest[5] != ' ' || a > 9 || b > 9 || c > 9 {
		return false
	}
	rest = rest[6:]
	size, n := atoi(rest)
	// `2947 "-" "Mozilla/5.0 (…)"`: four quotes and no more, one of them the last byte.
	tail := rest[n:]
	if n == 0 || len(tail) < len(` "" ""`) || tail[0] != ' ' || tail[1] != '"' {
		return false
	}
	tail = tail[2:]
	end = bytes.IndexByte(tail, '"')
	if end < 0 || len(tail) < end+len(`" ""`) || tail[end+1] != ' ' || tail[end+2] != '"' {
		return false
	}
	tail = tail[end+3:]
	if bytes.IndexByte(tail, '"') != len(tail)-1 {
		return false
	}
	if !r.plain {
		r.values, r.plain = accessLine{}, true
	}
	r.values[varRequest] = request
	r.format, r.fields, r.status, r.took, r.size = combined, 0, int(a)*100+int(b)*10+int(c), gatepost.Unknown, size
	r.client, r.stamp = line[:i], r.expected
	return true
}

// expect reads the stamp of a line of another second than the one before, and expects it of those to come. text begins
// behind the client.
func (r *accessReader) expect(text []byte) bool {
	text = text[:len(r.between)]
	stamp, behind := text[len(noUser):len(noUser)+timeLocal], text[len(noUser)+timeLocal:]
	if string(text[:len(noUser)]) != noUser || string(behind) != openRequest || !r.readTime(stamp) {
		return false
	}
	copy(r.between[:], text)
	r.expected = r.stamp
	return true
}

// understand makes numbers and names of the values.
func (r *accessReader) understand(f *logFormat) bool {
	v := &r.values
	s := v[varStatus]
	if len(s) != 3 {
		return false
	}
	status, n := atoi(s)
	if n != 3 || !r.readStamp() {
		return false
	}
	r.format, r.status = f, int(status)
	r.took = duration(v[varDuration])
	r.size = -1
	if size, n := atoi(v[varBytes]); n > 0 {
		r.size = size
	}
	r.client = v[varClient]
	if i := bytes.LastIndexByte(r.client, ' '); i >= 0 {
		r.client = r.client[i+1:] // a virtual host, or a wrapper's head, stands before it
	}
	return true
}

func (r *accessReader) readStamp() bool {
	if text := r.values[varMsec]; len(text) > 0 {
		if r.stamp = readAccessStamp(text); r.stamp.at != gatepost.NoTime {
			return true
		}
	}
	return r.readTime(r.values[varTime])
}

func (r *accessReader) readTime(text []byte) bool {
	if len(text) == r.lastLen && string(text) == string(r.lastTime[:r.lastLen]) {
		r.stamp = r.lastStamp
		return r.stamp.at != gatepost.NoTime && r.lastLen > 0
	}
	r.stamp = readAccessStamp(text)
	if r.stamp.at == gatepost.NoTime {
		return false
	}
	if len(text) <= len(r.lastTime) {
		r.lastLen = copy(r.lastTime[:], text)
		r.lastStamp = r.stamp
	}
	return true
}

// request finds method and path. A request that is none ("", binary junk) has no method, and is
// its own path.
func (r *accessReader) request() (method, path []byte) {
	method, path = r.requestText()
	if method == nil {
		method, path = splitRequest(path)
	}
	if string(path) == "-" {
		return nil, nil
	}
	switch {
	case r.format.hashes && bytes.IndexByte(path, '#') >= 0:
		r.scratch = unescapeHashes(r.scratch[:0], path)
		path = r.scratch
	case !r.format.raw && bytes.IndexByte(path, '\\') >= 0:
		r.scratch = unescape(r.scratch[:0], path)
		path = r.scratch
	}
	if len(path) > 0 && path[0] != '/' {
		path = withoutHost(path)
	}
	return method, path
}

// requestText returns what the line has of the request: $request, or a method and a path.
func (r *accessReader) requestText() (method, text []byte) {
	v := &r.values
	switch {
	case v[varRequest] != nil:
		return nil, v[varRequest]
	case !isMethod(v[varMethod]):
	case v[varURI] != nil:
		return v[varMethod], v[varURI]
	case v[varPath] != nil:
		return v[varMethod], v[varPath]
	}
	return nil, nil
}

// recentRequest remembers the hashes of a request. Most requests of a log are like one of the
// last few hundred, and hashing is half of the work.
type recentRequest struct {
	text         [96]byte // method and text
	method, size uint8
	key, route   uint64
}

// hashes returns Key and Route of the request, and names the route in out when it is new.
func (r *accessReader) hashes(p *Parser, out *gatepost.Batch) (key, route uint64) {
	method, text := r.requestText()
	slot := &r.recent[placeOf(method, text)%uint64(len(r.recent))]
	size := len(method) + len(text)
	if size > 0 && int(slot.size) == size && int(slot.method) == len(method) &&
		string(slot.text[:len(method)]) == string(method) && string(slot.text[len(method):size]) == string(text) {
		return slot.key, slot.route
	}
	m, path := r.request()
	key = gatepost.KeyOf(m, path)
	if m == nil {
		route = p.route(dash, dash, out) // one for all that is no request: junk would fill the dictionary
	} else {
		route = p.route(m, path, out)
	}
	if size <= len(slot.text) {
		n := copy(slot.text[:], method)
		copy(slot.text[n:], text)
		slot.method, slot.size, slot.key, slot.route = uint8(n), uint8(size), key, route
	}
	return key, route
}

// placeOf chooses the place of a request in a table. What tells requests apart stands at their end, before the protocol: of
// a long one only that is looked at.
func placeOf(method, text []byte) uint64 {
	const prime1, prime2, prime3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
	h := uint64(len(method)<<8 + len(text))
	if n := len(text); n >= 32 {
		last := text[n-32:]
		h = (h^binary.LittleEndian.Uint64(last))*prime1 + binary.LittleEndian.Uint64(last[8:])*prime2 +
			binary.LittleEndian.Uint64(last[16:])*prime3 ^ binary.LittleEndian.Uint64(last[24:])
	} else {
		for _, c := range text {
			h = (h ^ uint64(c)) * prime1
		}
	}
	return h * prime1 >> 32
}

// splitRequest splits a request line as $request has it.
func splitRequest(request []byte) (method, path []byte) {
	i := bytes.IndexByte(request, ' ')
	if i < 0 || !isMethod(request[:i]) {
		return nil, request
	}
	method, path = request[:i], request[i+1:]
	if j := bytes.LastIndexByte(path, ' '); j >= 0 && hasPrefix(path[j+1:], "HTTP/") {
		path = path[:j]
	}
	return method, path
}

// isMethod accepts what nginx accepts.
func isMethod(s []byte) bool {
	for _, c := range s {
		if (c < 'A' || c > 'Z') && c != '_' && c != '-' {
			return false
		}
	}
	return len(s) > 0 && s[0] != '-'
}

// withoutHost cuts "https://host" off a URL.
func withoutHost(url []byte) []byte {
	_, rest, ok := cut(url, "://")
	if !ok {
		return url
	}
	if i := bytes.IndexByte(rest, '/'); i >= 0 {
		return rest[i:]
	}
	return url
}

var dash = []byte{'-'}

// record fills in the Request of the line; its hashes come from the caller.
func (r *accessReader) record(q *gatepost.Request, ref gatepost.Ref, key, route uint64) {
	q.Ref, q.End, q.Duration, q.SQL = ref, r.stamp.at, r.took, gatepost.Unknown
	q.Bytes = r.size
	q.Key, q.Client, q.Route = key, gatepost.HashOf(r.client), route
	q.Queries, q.PID, q.Status, q.Lane = -1, 0, uint16(r.status), gatepost.LaneNginx
}

// event makes the event of the line; it keeps nothing of it.
func (r *accessReader) event(ref gatepost.Ref, line []byte) gatepost.Event {
	method, path := r.request()
	e := gatepost.NewEvent(gatepost.NginxRequest, ref, r.stamp.at)
	e.Hash = gatepost.HashOf(line)
	e.Status = r.status
	e.Duration = r.took
	e.Number = max(r.size, 0)
	e.Method = clip(method)
	e.Path = clip(path)
	e.Client = clip(r.client)
	e.Key = gatepost.KeyOf(method, path)
	if r.hop.told {
		e.Attempts = r.hop.attempts(r.status)
		e.Phase, e.Name = r.hop.phase, string(r.hop.state)
	} else {
		e.Attempts = r.values.attempts()
	}
	e.Upstream = addresses(e.Attempts)
	e.Text = clip(line)
	return e
}

// addresses joins the servers tried.
func addresses(tries []gatepost.Attempt) string {
	var all []string
	for _, a := range tries {
		if a.Addr != "" {
			all = append(all, a.Addr)
		}
	}
	return strings.Join(all, ", ")
}

// accessStamp is a time as an access log writes it.
type accessStamp struct {
	at         gatepost.Time // NoTime when it is none
	resolution time.Duration
}

// readAccessStamp reads $msec, $time_local ("22/Nov/2026:14:08:41 +0000"), or $time_iso8601. In logs
// that something else has rewritten the last may have a fraction, or lack its zone: it is UTC then.
func readAccessStamp(s []byte) accessStamp {
	none := accessStamp{at: gatepost.NoTime}
	var sec, ns int64
	var n int
	blankDate := false // a blank between date and time
	switch {
	case len(s) >= 26 && s[2] == '/' && s[6] == '/' && s[11] == ':':
		day, mon, year, sod := d2(s), month(s[3:]), d4(s[7:]), clock(s[12:])
		if day < 1 || day > 31 || mon == 0 || year < 1970 || sod < 0 {
			return none
		}
		sec, s = civil(year, mon, day, 0, 0, 0)+int64(sod), s[20:]
	case len(s) >= 19 && s[4] == '-':
		var ok bool
		if sec, ok = dateTime(s, '-'); !ok {
			return none
		}
		blankDate = s[10] == ' '
		ns, n = fraction(s[19:])
		s = s[19+n:]
	default:
		return readEpoch(s)
	}
	if len(s) > 0 && s[0] == ' ' {
		s = s[1:]
	}
	east, zoned := offset(s)
	if zoned == 0 && blankDate {
		return none // no form of nginx's: other servers write it so
	}
	stamp := accessStamp{at: nano(sec-int64(east), ns), resolution: time.Second}
	if n > 0 {
		stamp.resolution = time.Millisecond
	}
	return stamp
}

// readEpoch reads seconds since 1970 with or without a fraction, or whole milliseconds.
func readEpoch(s []byte) accessStamp {
	v, n := atoi(s)
	switch n {
	case 9, 10:
		ns, f := fraction(s[n:])
		if f == 0 {
			return accessStamp{at: nano(v, 0), resolution: time.Second}
		}
		return accessStamp{at: nano(v, ns), resolution: time.Millisecond}
	case 13:
		return accessStamp{at: nano(v/1000, v%1000*1e6), resolution: time.Millisecond}
	}
	return accessStamp{at: gatepost.NoTime}
}
