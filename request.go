package gatepost

import (
	"math/bits"
	"time"
)

// Lane says which program wrote a Request line.
type Lane uint8

const (
	LaneNginx  Lane = iota // an access-log line, of whichever gateway
	LaneOdoo               // a request line of an HTTP worker or thread
	LaneGevent             // a line of the event process: websocket and longpolling
)

var laneNames = [...]string{"nginx", "odoo", "gevent"}

func (l Lane) String() string { return laneNames[l] }

// Request is one request line of any program, ordinary or not: 99.9 % of all lines are these, so
// it has a fixed size and no pointers. Its words live in hashes; the line itself is at Ref.
type Request struct {
	Ref      Ref
	End      Time          // raw stamp: every program writes a request when it ends
	Duration time.Duration // Unknown when the format does not tell
	SQL      time.Duration // time in SQL statements, Unknown likewise
	Bytes    int64         // sent to the client, -1 when not told
	Key      uint64        // KeyOf(method, path): joins the gateway's line with Odoo's
	Client   uint64        // HashOf(client address)
	Route    uint64        // KeyOf(method, route), see RouteOf; 0 for the rest of too many
	Queries  int32         // SQL statements, -1 when not told
	PID      int32         // process that served it, 0 in the gateway's lines
	Status   uint16
	Lane     Lane
}

// RouteOf appends the route of a path to dst: the path without its query, with every segment
// that names one record or one asset version replaced by '*', so that requests of one kind share
// a route. A segment is such a name when it holds a digit, but for short version words ("v1").
func RouteOf[P []byte | string](dst []byte, path P) []byte {
	from := 0 // path is in dst up to here
	for i := nextInPath(path, 0); i < len(path); i = nextInPath(path, i) {
		if pathBytes[path[i]] == pathEnd {
			return append(dst, path[from:i]...)
		}
		begin := i // of the segment with a digit at i
		for begin > from && path[begin-1] != '/' {
			begin--
		}
		for i < len(path) && pathBytes[path[i]] <= pathDigit {
			i++
		}
		if i-begin > 3 || path[begin] != 'v' {
			dst = append(append(dst, path[from:begin]...), '*')
			from = i
		}
	}
	return append(dst, path[from:]...)
}

// nextInPath returns where the next digit of a path stands, or its end, from i on.
func nextInPath[P []byte | string](path P, i int) int {
	for ; i+8 <= len(path); i += 8 {
		w := word(path[i:])
		if hits := digits(w) | holds(w, '?') | holds(w, '#'); hits != 0 {
			return i + bits.TrailingZeros64(hits)/8
		}
	}
	for i < len(path) && (pathBytes[path[i]] == 0 || path[i] == '/') {
		i++
	}
	return i
}

// pathBytes says what a byte means in a path.
var pathBytes = func() (kinds [256]uint8) {
	for c := '0'; c <= '9'; c++ {
		kinds[c] = pathDigit
	}
	kinds['/'], kinds['?'], kinds['#'] = pathSlash, pathEnd, pathEnd
	return kinds
}()

const (
	pathDigit = 1 + iota
	pathSlash
	pathEnd
)
