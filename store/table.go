package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gatepost"

	"modernc.org/sqlite/vtab"
)

// requestsTable is the virtual table that shows the chunks as rows. A constraint on its time,
// source or lane is passed down, so that only the chunks in question are decoded.
const requestsTable = "requests"

const requestsSchema = `CREATE TABLE requests (time TEXT, start TEXT, duration REAL, status INTEGER, bytes INTEGER, lane TEXT,
	route TEXT, client INTEGER, key INTEGER, pid INTEGER, sql REAL, queries INTEGER, source INTEGER, line INTEGER, offset INTEGER, length INTEGER)`

// The columns of requestsSchema.
const (
	colTime = iota
	colStart
	colDuration
	colStatus
	colBytes
	colLane
	colRoute
	colClient
	colKey
	colPID
	colSQL
	colQueries
	colSource
	colLine
	colOffset
	colLength
)

// timeFormat is how SQL shows a stamp. It always has the same width, so that its order is that
// of time. SQLite's own functions read it.
const timeFormat = "2006-01-02T15:04:05.000Z"

type requestsModule struct{ s *Store }

func (m *requestsModule) Create(ctx vtab.Context, _ []string) (vtab.Table, error) {
	return m.Connect(ctx, nil)
}

func (m *requestsModule) Connect(ctx vtab.Context, _ []string) (vtab.Table, error) {
	if err := ctx.Declare(requestsSchema); err != nil {
		return nil, err
	}
	return &requestsVTable{m.s}, nil
}

type requestsVTable struct{ s *Store }

func (t *requestsVTable) Disconnect() error { return nil }
func (t *requestsVTable) Destroy() error    { return nil }

func (t *requestsVTable) Open() (vtab.Cursor, error) { return &requestsCursor{s: t.s}, nil }

// The constraints that Filter understands, one letter of IdxStr for each argument.
const (
	planFrom   = 'f'
	planTo     = 't'
	planEqual  = 'e'
	planSource = 's'
	planLane   = 'l'
)

// BestIndex takes the constraints that narrow down the chunks. SQLite checks all of them again,
// row by row.
func (t *requestsVTable) BestIndex(info *vtab.IndexInfo) error {
	var plan strings.Builder
	cost := 1e9
	for i := range info.Constraints {
		c := &info.Constraints[i]
		letter, factor := planOf(c)
		if !c.Usable || letter == 0 {
			continue
		}
		c.ArgIndex = plan.Len()
		plan.WriteRune(letter)
		cost *= factor
	}
	info.IdxStr = plan.String()
	info.EstimatedCost, info.EstimatedRows = cost, int64(cost)
	order := info.OrderBy
	info.OrderByConsumed = len(order) == 1 && order[0].Column == colTime && !order[0].Desc
	return nil
}

// planOf names a constraint and says which part of the rows it leaves, roughly; 0 for one that
// is of no use.
func planOf(c *vtab.Constraint) (letter rune, factor float64) {
	switch c.Column {
	case colTime:
		switch c.Op {
		case vtab.OpGE, vtab.OpGT:
			return planFrom, 0.1
		case vtab.OpLE, vtab.OpLT:
			return planTo, 0.1
		case vtab.OpEQ:
			return planEqual, 0.001
		}
	case colSource:
		if c.Op == vtab.OpEQ {
			return planSource, 0.1
		}
	case colLane:
		if c.Op == vtab.OpEQ {
			return planLane, 0.5
		}
	}
	return 0, 1
}

// requestsCursor walks over the requests of a plan by time.
type requestsCursor struct {
	s      *Store
	m      *requestMerge
	routes map[uint64]string // read when first asked for
	now    *gatepost.Request // nil at the end
	row    int64
}

func (c *requestsCursor) Filter(_ int, plan string, args []vtab.Value) error {
	if err := c.Close(); err != nil {
		return err
	}
	c.m, c.now, c.row = nil, nil, 0
	q, any := queryOf(plan, args)
	if !any {
		return nil
	}
	m, err := c.s.mergeRequests(context.Background(), q)
	if err != nil {
		return err
	}
	c.m = m
	return c.Next()
}

// queryOf translates a plan; any is false when no row can fit it.
func queryOf(plan string, args []vtab.Value) (q gatepost.Query, any bool) {
	w := window{gatepost.NoTime, endOfTime}
	for i, letter := range plan {
		text, isText := args[i].(string)
		switch letter {
		case planFrom, planTo, planEqual:
			least, most, ok := timeRange(text)
			if !ok || !isText {
				continue
			}
			if letter != planTo {
				w.from = max(w.from, least)
			}
			if letter != planFrom {
				w.to = min(w.to, most)
			}
		case planSource:
			n, isInt := args[i].(int64)
			if isInt && n <= 0 {
				return q, false
			}
			if isInt {
				q.Sources = []int{int(n)}
			}
		case planLane:
			// The comparison may ignore case, so a name that is none is left to SQLite.
			if lane, ok := laneOf(text); ok {
				q.Lanes = append(q.Lanes, lane)
			}
		}
	}
	q.From, q.To = w.from, w.to
	return q, w.from <= w.to
}

func laneOf(name string) (gatepost.Lane, bool) {
	for l := gatepost.LaneNginx; l <= gatepost.LaneGevent; l++ {
		if strings.EqualFold(l.String(), name) {
			return l, true
		}
	}
	return 0, false
}

// timeRange returns instants between which the text of a stamp can turn from below to above a
// given text: the beginning and the end of what the text names, as "2026-11-22T14" an hour. Text
// that goes on otherwise, like "2026-11-22 14:05", names what its longest sound beginning does.
func timeRange(text string) (least, most gatepost.Time, ok bool) {
	for _, p := range [...]struct {
		layout string
		width  time.Duration
	}{
		{"2006-01-02T15:04:05.000", time.Millisecond},
		{"2006-01-02T15:04:05", time.Second},
		{"2006-01-02T15:04", time.Minute},
		{"2006-01-02T15", time.Hour},
		{"2006-01-02", 24 * time.Hour},
	} {
		if len(text) < len(p.layout) {
			continue
		}
		t, err := time.Parse(p.layout, text[:len(p.layout)])
		if err == nil && t.Year() >= 1700 && t.Year() < 2262 {
			return gatepost.TimeOf(t), gatepost.TimeOf(t.Add(p.width)), true
		}
	}
	return 0, 0, false
}

// Next takes the next request. SQLite has no place for the words of an error here, so they are
// left with the store for Query to find.
func (c *requestsCursor) Next() error {
	r, err := c.m.next(context.Background())
	if err != nil {
		err = fmt.Errorf("virtual table requests: %w", err)
		c.s.tableErr.Store(&err)
		return err
	}
	c.now = r
	c.row++
	return nil
}

func (c *requestsCursor) Eof() bool             { return c.now == nil }
func (c *requestsCursor) Rowid() (int64, error) { return c.row, nil }

func (c *requestsCursor) Close() error {
	if c.m != nil {
		c.m.close()
		c.m = nil
	}
	return nil
}

func (c *requestsCursor) Column(col int) (vtab.Value, error) {
	r := c.now
	switch col {
	case colTime:
		return stamp(r.End), nil
	case colStart:
		if r.Duration == gatepost.Unknown {
			return nil, nil
		}
		return stamp(r.End.Add(-r.Duration)), nil
	case colDuration:
		return seconds(r.Duration), nil
	case colStatus:
		return int64(r.Status), nil
	case colBytes:
		return known(r.Bytes), nil
	case colLane:
		return r.Lane.String(), nil
	case colRoute:
		return c.route(r.Route)
	case colClient:
		return int64(r.Client), nil
	case colKey:
		return int64(r.Key), nil
	case colPID:
		return int64(r.PID), nil
	case colSQL:
		return seconds(r.SQL), nil
	case colQueries:
		return known(int64(r.Queries)), nil
	case colSource:
		return int64(r.Ref.Source), nil
	case colLine:
		return r.Ref.Line, nil
	case colOffset:
		return r.Ref.Offset, nil
	case colLength:
		return int64(r.Ref.Length), nil
	}
	return nil, fmt.Errorf("requests has no column %d", col)
}

// route names a route; one that was never named is shown as its id in hexadecimal.
func (c *requestsCursor) route(id uint64) (vtab.Value, error) {
	if c.routes == nil {
		routes, err := c.s.routes(context.Background())
		if err != nil {
			return nil, err
		}
		c.routes = routes
	}
	if name, ok := c.routes[id]; ok {
		return name, nil
	}
	return strconv.FormatUint(id, 16), nil
}

// stamp is the text of a stamp, NULL when it is not known.
func stamp(t gatepost.Time) vtab.Value {
	if !t.Known() {
		return nil
	}
	return t.Std().Format(timeFormat)
}

// seconds is a duration as the views have it, NULL when it is not known.
func seconds(d time.Duration) vtab.Value {
	if d == gatepost.Unknown {
		return nil
	}
	return d.Seconds()
}

// known is a count, NULL when it was not told.
func known(n int64) vtab.Value {
	if n < 0 {
		return nil
	}
	return n
}
