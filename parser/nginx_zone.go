package parser

import (
	"bytes"
	"time"

	"gatepost"
)

// East returns how far east of UTC the machine stands that wrote an access log, as the first stamp in lines of it says
// it. ok is false when none does: $msec names no zone.
func (p *Parser) East(lines []byte) (east time.Duration, ok bool) {
	d, access := p.State.(*accessDialect)
	if !access || p.sorter != nil || p.heads != gatepost.StampsNone {
		return 0, false
	}
	r := accessReader{formats: d.formats}
	for rec := range records(&gatepost.Block{Data: lines}, nil) {
		if !r.read(rec.line) {
			continue
		}
		seconds, ok := r.east()
		return time.Duration(seconds) * time.Second, ok
	}
	return 0, false
}

// east is how far east of UTC, in seconds, the stamp of the line is that was read last. Beside $msec, which is the
// better stamp, a line may have one that tells it.
func (r *accessReader) east() (seconds int, ok bool) {
	stamp := r.values[varTime]
	at := bytes.LastIndexAny(stamp, "+-Z")
	if at < len("2026-11-22T14:08:41") {
		return 0, false
	}
	seconds, n := offset(stamp[at:])
	return seconds, n > 0
}
