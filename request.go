package gatepost

import "time"

// Lane says which program wrote a Request line.
type Lane uint8

const (
	LaneNginx  Lane = iota // an access-log line
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
	Key      uint64        // KeyOf(method, path): joins nginx's line with Odoo's
	Client   uint64        // HashOf(client address)
	Route    uint64        // KeyOf(method, route), see RouteOf
	Queries  int32         // SQL statements, -1 when not told
	PID      int32         // process that served it, 0 in nginx's lines
	Status   uint16
	Lane     Lane
}

const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// HashOf is the FNV-1a hash of b.
func HashOf[T []byte | string](b T) uint64 {
	h := uint64(fnvOffset)
	for i := 0; i < len(b); i++ {
		h = (h ^ uint64(b[i])) * fnvPrime
	}
	return h
}

// KeyOf hashes a method and a path so that nginx's and Odoo's line of one request get the same
// key: percent escapes are decoded (Werkzeug 0.15 and later logs the decoded path), the query and
// the fragment (Odoo 19 appends the RPC method there) are left out.
func KeyOf[M, P []byte | string](method M, path P) uint64 {
	h := HashOf(method)
	h = (h ^ ' ') * fnvPrime
	for i := 0; i < len(path); i++ {
		c := path[i]
		switch c {
		case '?', '#':
			return h
		case '%':
			if i+2 < len(path) {
				hi, lo := unhex(path[i+1]), unhex(path[i+2])
				if hi < 16 && lo < 16 {
					c = hi<<4 | lo
					i += 2
				}
			}
		}
		h = (h ^ uint64(c)) * fnvPrime
	}
	return h
}

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 16
}

// RouteOf appends the route of a path to dst: the path without its query, with every segment
// that names one record or one asset version replaced by '*', so that requests of one kind share
// a route. A segment is such a name when it holds a digit, but for short version words ("v1").
func RouteOf[P []byte | string](dst []byte, path P) []byte {
	for i := 0; i < len(path) && path[i] != '?' && path[i] != '#'; {
		if path[i] == '/' {
			dst = append(dst, '/')
			i++
			continue
		}
		j, digits := i, 0
		for ; j < len(path) && path[j] != '/' && path[j] != '?' && path[j] != '#'; j++ {
			if '0' <= path[j] && path[j] <= '9' {
				digits++
			}
		}
		if digits > 0 && !(j-i <= 3 && path[i] == 'v') {
			dst = append(dst, '*')
		} else {
			dst = append(dst, path[i:j]...)
		}
		i = j
	}
	return dst
}
