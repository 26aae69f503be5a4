package parser

import (
	"bytes"
	"math"

	"gatepost"
)

// Request lines of Odoo, the everyday lines of its log:
//
//	203.0.113.7 - - [22/Nov/2026 14:08:41] "GET /web HTTP/1.0" 200 - 57 0.084 0.215      werkzeug
//	203.0.113.7 - - [2026-11-22 14:08:41] "GET /websocket HTTP/1.1" 101 417 3599.874312  longpolling
//
// The stamp in brackets is the head's with less precision and is not read.

// odooCall is a request line taken apart.
type odooCall struct {
	client, method, path []byte
	tail                 []byte // behind the quotes: " 200 - 57 0.084 0.215"
	status               int
}

// readCall reads a request line. Werkzeug logs the decoded path, which can hold blanks and quotes,
// so the end of the request is looked for from the right. Start-up hints and requests that are no
// HTTP are none.
func readCall(m []byte, lane gatepost.Lane) (c odooCall, ok bool) {
	const dash = " - - ["
	stamp := len("22/Nov/2026 14:08:41")
	if lane == gatepost.LaneGevent {
		stamp = len("2026-11-22 14:08:41")
	}
	i := bytes.Index(m, []byte(dash))
	if i < 0 {
		return c, false
	}
	c.client = m[:i]
	m = m[i+len(dash):]
	if len(m) < stamp+3 || string(m[stamp:stamp+3]) != `] "` {
		return c, false
	}
	m = m[stamp+3:]
	end := bytes.LastIndexByte(m, '"')
	if end < len("GET / HTTP/1.0") || string(m[end-9:end-3]) != " HTTP/" {
		return c, false
	}
	target := m[:end-9]
	blank := bytes.IndexByte(target, ' ')
	if blank <= 0 {
		return c, false
	}
	c.method, c.path = target[:blank], target[blank+1:]
	status, tail := odooWord(m[end+1:])
	n, digits := atoi(status)
	if digits != 3 || len(status) != 3 {
		return c, false
	}
	c.status, c.tail = int(n), tail
	return c, true
}

// request appends the request that a record tells of, and its event when it is notable. It
// reports false for a record that is no request line.
func (r *odooRecord) request(p *Parser, lane gatepost.Lane, out *gatepost.Batch) bool {
	c, ok := readCall(r.msg, lane)
	if !ok {
		return false
	}
	q := gatepost.Request{
		Ref:      r.ref,
		End:      r.time,
		Duration: gatepost.Unknown,
		SQL:      gatepost.Unknown,
		Bytes:    -1,
		Key:      gatepost.KeyOf(c.method, c.path),
		Client:   gatepost.HashOf(c.client),
		Route:    p.route(c.method, c.path, out),
		Queries:  -1,
		PID:      int32(r.pid),
		Status:   uint16(c.status),
		Lane:     lane,
	}
	size, tail := odooWord(c.tail)
	if n, digits := atoi(size); digits > 0 && digits == len(size) {
		q.Bytes = n
	}
	slow := gatepost.Unknown
	if lane == gatepost.LaneOdoo {
		readPerf(&q, tail)
		slow = q.Duration
	} else if took, _ := odooWord(tail); len(took) > 0 {
		// A connection to the event process is held open by design: long is not slow.
		if d, n := seconds(took); n == len(took) {
			q.Duration = d
		}
	}
	out.Requests = append(out.Requests, q)
	if p.Options.notable(c.status, slow) {
		out.Events = append(out.Events, r.requestEvent(&c, &q))
	}
	r.foreign(out)
	return true
}

// readPerf reads the performance fields " 57 0.084 0.215": statements, seconds in them, seconds
// outside them. Three dashes or nothing leave q as it is; what a replica appends is ignored.
func readPerf(q *gatepost.Request, s []byte) {
	queries, s := odooWord(s)
	inSQL, s := odooWord(s)
	outside, _ := odooWord(s)
	n, digits := atoi(queries)
	d, m := seconds(inSQL)
	e, k := seconds(outside)
	if digits == 0 || m == 0 || k == 0 || n > math.MaxInt32 {
		return
	}
	q.Queries, q.SQL, q.Duration = int32(n), d, d+e
}

func (r *odooRecord) requestEvent(c *odooCall, q *gatepost.Request) gatepost.Event {
	e := r.event(gatepost.OdooRequest)
	e.Status = c.status
	e.Duration = q.Duration
	e.SQL = q.SQL
	e.Queries = int(max(q.Queries, 0))
	e.Method = clip(c.method)
	e.Path = clip(c.path)
	e.Client = clip(c.client)
	e.Key = q.Key
	if q.Lane == gatepost.LaneGevent {
		e.Name = "gevent"
	}
	return e
}

const (
	withPerf    = "with performance fields"
	withoutPerf = "without performance fields"
)

// perfFields says which kind of request line m is, "" when it is none.
func perfFields(m []byte) string {
	c, ok := readCall(m, gatepost.LaneOdoo)
	if !ok {
		return ""
	}
	if _, fields := odooWord(c.tail); len(fields) == 0 {
		return withoutPerf
	}
	return withPerf
}
