package parser

import (
	"bytes"
	"time"

	"gatepost"
)

// server recognises what the server says of its own life and of its workers' and threads'.
func (r *odooRecord) server() (gatepost.Event, bool) {
	m := r.msg
	if e, ok := r.worker(); ok {
		return e, true
	}
	switch {
	case hasPrefix(m, "HTTP service (werkzeug) running "):
		return r.listening(gatepost.OdooListening), true
	case hasPrefix(m, "Evented Service (longpolling) running "):
		return r.listening(gatepost.OdooGeventReady), true
	case hasPrefix(m, "Stopping gracefully"), hasPrefix(m, "Stopping workers gracefully"), hasPrefix(m, "Initiating shutdown"):
		return r.stop("stop"), true
	case hasPrefix(m, "Initiating server reload"), hasPrefix(m, "Reloading server"):
		return r.stop("reload"), true
	case hasPrefix(m, "Stopping forcefully"), hasPrefix(m, "Forced shutdown"):
		return r.stop("force"), true
	case contains(m, " Parent changed"): // "LongPolling Parent changed", "Gevent Parent changed: 4720"
		e := r.event(gatepost.OdooParentChanged)
		e.Name = "gevent"
		return e, true
	case contains(m, " virtual memory limit reached: "):
		_, bytes, _ := cut(m, "reached: ")
		e := r.event(gatepost.OdooWorkerMemory)
		e.Number, _ = atoi(bytes)
		e.Name = "gevent"
		return e, true
	case hasPrefix(m, "Thread <"):
		return r.threadLimit()
	case hasPrefix(m, "cron") && contains(m, " encountered an Exception"): // threaded: the loop around all jobs
		return r.event(gatepost.OdooCronError), true
	case hasPrefix(m, "Failed to initialize database"), hasPrefix(m, "Failed to load server-wide module"):
		return r.loading()
	}
	return gatepost.Event{}, false
}

func (r *odooRecord) stop(name string) gatepost.Event {
	e := r.event(gatepost.OdooStop)
	e.Name = name
	return e
}

func (r *odooRecord) listening(k gatepost.Kind) gatepost.Event {
	e := r.event(k)
	_, where, _ := cut(r.msg, " running ")
	_, addr, ok := cut(where, "on ")
	if !ok {
		_, addr, _ = cut(where, "through ") // socket activation
	}
	e.Name = clip(addr)
	return e
}

// worker recognises messages that name a process in parentheses:
//
//	Worker (4711) timeout                       version 8 and 9
//	WorkerHTTP (4711) timeout after 120s        later
//	Worker WorkerCron (4720) alive
//	Worker (4711) virtual memory limit (2252824576) reached.
//
// They are said by the process itself or by the master of it.
func (r *odooRecord) worker() (e gatepost.Event, ok bool) {
	who, rest, ok := cut(r.msg, " (")
	if !ok {
		return e, false
	}
	number, n := atoi(rest)
	if n == 0 || n >= len(rest) || rest[n] != ')' {
		return e, false
	}
	what := bytes.TrimPrefix(rest[n+1:], []byte{' '})
	named := func(k gatepost.Kind) (gatepost.Event, bool) {
		e := r.event(k)
		e.PID = int(number)
		if e.PID != r.pid {
			e.By = r.pid
		}
		return e, true
	}
	switch {
	case string(who) == "Server memory limit": // threaded server: the number is no process
		e = r.event(gatepost.OdooWorkerMemory)
		e.Number, e.Name = number, "server"
		return e, true
	case hasPrefix(who, "Critial worker error"), hasPrefix(who, "Critical worker error"):
		e, ok = named(gatepost.OdooWorkerError)
		e.Name = e.Text
	case string(what) == "timeout", hasPrefix(what, "timeout after "):
		e, ok = named(gatepost.OdooWorkerTimeout)
		e.Name = workerClass(who)
		e.Duration = secondsAfter(what, "after ")
	case string(what) == "alive":
		e, ok = named(gatepost.OdooWorkerAlive)
		e.Name = workerClass(who)
	case hasPrefix(what, "exiting. request_count: "):
		e, ok = named(gatepost.OdooWorkerExit)
		e.Number = numberAfter(what, "request_count: ")
	case hasPrefix(what, "virtual memory limit ("):
		e, ok = named(gatepost.OdooWorkerMemory)
		e.Number = numberAfter(what, "(")
	case hasPrefix(what, "max request ("):
		e, ok = named(gatepost.OdooWorkerRecycle)
		e.Number = numberAfter(what, "(")
	case hasPrefix(what, "max age ("):
		e, ok = named(gatepost.OdooWorkerRecycle)
		e.Duration = secondsAfter(what, "(")
	case hasPrefix(what, "CPU time limit ("):
		e, ok = named(gatepost.OdooWorkerCPU)
		e.Duration = secondsAfter(what, "(")
	case hasPrefix(what, "Exception occured"), hasPrefix(what, "Exception occurred"):
		e, ok = named(gatepost.OdooWorkerError)
	case string(what) == "Parent changed":
		e, ok = named(gatepost.OdooParentChanged)
		e.Name = "worker"
		if string(who) == "LongPolling" {
			e.Name = "gevent"
		}
	default:
		return e, false
	}
	return e, ok
}

// workerClass returns the class of "WorkerHTTP" and "Worker WorkerHTTP", "" for a bare "Worker".
func workerClass(who []byte) string {
	if string(who) == "Worker" {
		return ""
	}
	return clip(bytes.TrimPrefix(who, []byte("Worker ")))
}

// numberAfter reads the number behind the first before, 0 without one.
func numberAfter(s []byte, before string) int64 {
	_, s, _ = cut(s, before)
	n, _ := atoi(s)
	return n
}

// secondsAfter reads the seconds behind the first before, Unknown without any.
func secondsAfter(s []byte, before string) time.Duration {
	_, s, _ = cut(s, before)
	if d, n := seconds(s); n > 0 {
		return d
	}
	return gatepost.Unknown
}

// threadLimit reads "Thread <Thread(NAME, started 140)> virtual real time limit (163/120s) reached."
func (r *odooRecord) threadLimit() (gatepost.Event, bool) {
	if !contains(r.msg, " virtual real time limit (") {
		return gatepost.Event{}, false
	}
	e := r.event(gatepost.OdooThreadLimit)
	e.Name = clip(between(r.msg, "(", ","))
	e.Duration = secondsAfter(r.msg, " virtual real time limit (")
	return e, true
}

// urlPath cuts scheme and host.
func urlPath(url []byte) []byte {
	_, rest, ok := cut(url, "://")
	if !ok {
		return url
	}
	if i := bytes.IndexByte(rest, '/'); i >= 0 {
		return rest[i:]
	}
	return []byte{'/'}
}

// stackDump reads what a threaded server writes of the threads that are over their time: it names
// the request of each. A dump on SIGQUIT shows all threads, the main one too, and accuses none.
func (r *odooRecord) stackDump() (gatepost.Event, bool) {
	const head = "# Thread: "
	if !hasPrefix(r.rest, head) || contains(r.rest, "<_MainThread(") {
		return gatepost.Event{}, false
	}
	line := trimEOL(r.rest[:lineEnd(r.rest)])
	url := between(line, "(url:", ")")
	if len(url) == 0 || string(url) == "n/a" || string(url) == "None" {
		return gatepost.Event{}, false
	}
	e := r.event(gatepost.OdooThreadLimit)
	e.Name = clip(between(line, "(", ","))
	e.Path = clip(urlPath(url))
	e.Text = clip(line)
	if db := between(line, "(db:", ")"); len(db) > 0 && string(db) != "n/a" && string(db) != "None" {
		e.DB = clip(db)
	}
	return e, true
}
