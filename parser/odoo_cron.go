package parser

import (
	"bytes"
	"strings"

	"gatepost"
)

// cron recognises scheduled actions. Every version words it in its own way:
//
//	8, 9    Starting job `NAME`.          1.234s (MODEL, METHOD)                  at DEBUG
//	10, 11  Starting job `NAME`.          no end
//	12-16   Starting job `NAME`.          Job `NAME` done.
//	17      Starting job `NAME`.          Job done: `NAME` (1.234s).
//	18      Job 'NAME' (7) starting       Job 'NAME' (7) done in 1.234s
//	19      Job 'NAME' (7) starting       Job 'NAME' (7) fully done (#loop 1; done 5; remaining 0; duration 1.23s)
func (r *odooRecord) cron() (gatepost.Event, bool) {
	m := r.msg
	switch {
	case hasPrefix(m, "Starting job `"), hasPrefix(m, "Manually starting job `"):
		return r.job(gatepost.OdooCronStart, backquoted(m)), true
	case hasPrefix(m, "Job `") && bytes.HasSuffix(m, []byte("` done.")):
		return r.job(gatepost.OdooCronEnd, backquoted(m)), true
	case hasPrefix(m, "Job done: `"):
		e := r.job(gatepost.OdooCronEnd, backquoted(m))
		e.Duration = secondsAfter(m[bytes.LastIndexByte(m, '`'):], "(")
		return e, true
	case hasPrefix(m, "Job "), hasPrefix(m, "Cron job "):
		return r.namedJob()
	case hasPrefix(m, "Call from cron "):
		e := r.event(gatepost.OdooCronError)
		e.Name = clip(between(m, "Call from cron ", " for server action #"))
		return e, true
	case hasPrefix(m, "Call of self."), hasPrefix(m, "Exception in cron"):
		return r.event(gatepost.OdooCronError), true
	case r.level == odooDebug && len(m) > 0 && m[0]-'0' <= 9:
		return r.methodEnd()
	}
	return gatepost.Event{}, false
}

func (r *odooRecord) job(k gatepost.Kind, name []byte) gatepost.Event {
	e := r.event(k)
	e.Name = clip(name)
	return e
}

// backquoted returns what stands between the first and the last backquote of s.
func backquoted(s []byte) []byte {
	i, j := bytes.IndexByte(s, '`'), bytes.LastIndexByte(s, '`')
	if i == j {
		return nil
	}
	return s[i+1 : j]
}

// namedJob reads the lines of version 18 and 19 and two kinds of deactivation.
func (r *odooRecord) namedJob() (gatepost.Event, bool) {
	name, what := pythonJob(r.msg)
	if name == nil {
		return gatepost.Event{}, false
	}
	var k gatepost.Kind
	took := gatepost.Unknown
	switch {
	case string(what) == "starting", string(what) == "started manually":
		k = gatepost.OdooCronStart
	case hasPrefix(what, "done in "):
		k, took = gatepost.OdooCronEnd, secondsAfter(what, "done in ")
	case hasPrefix(what, "fully done ("), hasPrefix(what, "partially done ("):
		k, took = gatepost.OdooCronEnd, secondsAfter(what, "; duration ")
	case hasPrefix(what, "failed ("):
		k, took = gatepost.OdooCronError, secondsAfter(what, "; duration ")
	case hasPrefix(what, "server action #"), string(what) == "timed out", contains(what, "been deactivated"), contains(what, "been disabled"):
		k = gatepost.OdooCronError
	default:
		return gatepost.Event{}, false
	}
	e := r.job(k, name)
	e.Name = strings.ReplaceAll(e.Name, `\'`, "'")
	e.Duration = took
	return e, true
}

// pythonJob returns the name and what is said of it in "Job 'NAME' (7) starting" and in
// "Job 7 'NAME' has been disabled"; the name is a Python string in either quotes, escapes included.
func pythonJob(m []byte) (name, what []byte) {
	_, m, _ = cut(m, "ob ")
	if _, n := atoi(m); n > 0 {
		m = bytes.TrimPrefix(m[n:], []byte{' '})
	}
	if len(m) < 2 || (m[0] != '\'' && m[0] != '"') {
		return nil, nil
	}
	quote := m[0]
	for i := 1; i < len(m); i++ {
		switch m[i] {
		case '\\':
			i++
		case quote:
			return m[1:i], behindID(m[i+1:])
		}
	}
	return nil, nil
}

// behindID cuts " (7) " or a blank.
func behindID(s []byte) []byte {
	s = bytes.TrimPrefix(s, []byte{' '})
	if len(s) > 0 && s[0] == '(' {
		if _, n := atoi(s[1:]); n > 0 && hasPrefix(s[1+n:], ") ") {
			return s[1+n+2:]
		}
	}
	return s
}

// methodEnd reads "1.234s (mail.mail, process_email_queue)".
func (r *odooRecord) methodEnd() (gatepost.Event, bool) {
	d, n := seconds(r.msg)
	if n == 0 || !hasPrefix(r.msg[n:], "s (") {
		return gatepost.Event{}, false
	}
	model, method, ok := cut(bytes.TrimSuffix(r.msg[n+len("s ("):], []byte{')'}), ", ")
	if !ok {
		return gatepost.Event{}, false
	}
	e := r.event(gatepost.OdooCronEnd)
	e.Duration = d
	e.Name = clip(model) + "." + clip(method)
	return e, true
}
