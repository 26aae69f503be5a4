package parser

import (
	"bytes"
	"strings"

	"gatepost"
)

// database recognises the lines of the logger sql_db.
func (r *odooRecord) database() (gatepost.Event, bool) {
	switch {
	case hasPrefix(r.msg, "Connection to the database failed"):
		// The reason is in the traceback of whoever asked; version 8 logs it here.
		e := r.event(gatepost.OdooDBFailed)
		e.Name = "unknown"
		return e, true
	case hasPrefix(r.msg, "bad query: "):
		return r.badQuery(), true
	}
	return gatepost.Event{}, false
}

// badQuery reads a failed statement. From version 11 on PostgreSQL's message follows on a line of
// its own, behind as many lines as the statement has; before that only a traceback may tell it.
func (r *odooRecord) badQuery() gatepost.Event {
	const mark = "ERROR: "
	e := r.event(gatepost.OdooBadQuery)
	at := bytes.LastIndex(r.rest, []byte("\n"+mark)) + 1
	if at == 0 && !hasPrefix(r.rest, mark) {
		return e
	}
	said := r.rest[at+len(mark):]
	e.Name = clip(bytes.TrimSpace(said[:lineEnd(said)]))
	switch d := classifyDatabase(said); d.kind {
	case gatepost.OdooDBFailed, gatepost.OdooDiskFull:
		e.Kind, e.Name = d.kind, clip(d.name)
		e.Text = clip(d.line)
	}
	return e
}

// retry reads the two wordings of a repeated request:
//
//	SERIALIZATION_FAILURE, retry 1/5 in 0.3410 sec...                    up to version 15
//	SERIALIZATION_FAILURE, 4 tries left, try again in 0.3410 sec...      later
//	SERIALIZATION_FAILURE, maximum number of tries reached!
func (r *odooRecord) retry() (gatepost.Event, bool) {
	name, what, ok := cut(r.msg, ", ")
	if !ok || bytes.IndexByte(name, ' ') >= 0 {
		return gatepost.Event{}, false
	}
	e := r.event(gatepost.OdooRetry)
	e.Name = clip(name)
	e.Duration = secondsAfter(what, " in ")
	first, n := atoi(what)
	switch {
	case n > 0 && hasPrefix(what[n:], " tries left"):
		e.Number = first
	case hasPrefix(what, "retry "):
		done, n := atoi(what[len("retry "):])
		e.Number = -1
		if all := numberAfter(what[len("retry ")+n:], "/"); all >= done {
			e.Number = all - done
		}
	case hasPrefix(what, "maximum number of tries reached"):
	default:
		return gatepost.Event{}, false
	}
	return e, true
}

// loadErrors are messages of a module, registry or server that did not load. Around the name of
// the module stand before and after; without both there is no name in them.
var loadErrors = []struct{ sign, before, after string }{
	{"Couldn't load module ", "Couldn't load module ", ""},
	{"Failed to load server-wide module", "`", "`"},
	{"Failed to initialize database", "", ""},
	{"Failed to load registry", "", ""},
	{" cannot be loaded! ", "module ", " cannot be loaded"},
	{"Some modules are not loaded", "[", "]"},
	{"Some modules have inconsistent states", "[", "]"},
	{": Unmet dependencies: ", ": Unmet dependencies: ", ""},
	{": module not found", "module ", ": module not found"},
	{"invalid module names, ignored: ", "ignored: ", ""},
	{" not initialized, you can force it", "", ""},
}

// loading recognises what the loading of modules and registries says.
func (r *odooRecord) loading() (gatepost.Event, bool) {
	m := r.msg
	switch {
	case string(m) == "Modules loaded.":
		return r.event(gatepost.OdooLoaded), true
	case hasPrefix(m, "Registry loaded in "):
		e := r.event(gatepost.OdooLoaded)
		e.Duration = secondsAfter(m, " in ")
		return e, true
	case hasPrefix(m, "loading "):
		return r.loadingFile()
	case hasPrefix(m, "module ") && contains(m, ": creating or updating database table"):
		return r.job(gatepost.OdooUpgrade, between(m, "module ", ":")), true
	case hasPrefix(m, "Module ") && r.level >= odooInfo && contains(m, " loaded in "): // DEBUG when nothing is upgraded
		return r.job(gatepost.OdooUpgrade, between(m, "Module ", " loaded in ")), true
	}
	if r.level < odooWarning {
		return gatepost.Event{}, false
	}
	for _, x := range loadErrors {
		if !contains(m, x.sign) {
			continue
		}
		e := r.event(gatepost.OdooLoadError)
		if x.before != "" {
			_, name, _ := cut(m, x.before)
			if x.after != "" {
				name, _, _ = cut(name, x.after)
			}
			e.Name = strings.ReplaceAll(clip(bytes.TrimSuffix(name, []byte{'.'})), "'", "") // of a Python list
		}
		return e, true
	}
	if string(r.logger) == "modules.module" && r.level == odooFailure {
		// Up to version 16 the exception of "Couldn't load module" is a line of its own.
		e := r.event(gatepost.OdooLoadError)
		e.Name = clip(missingModule(m))
		return e, true
	}
	return gatepost.Event{}, false
}

// loadingFile reads "loading sale/views/sale_views.xml", which is logged only when a module is
// installed or upgraded.
func (r *odooRecord) loadingFile() (gatepost.Event, bool) {
	file, more := odooWord(r.msg[len("loading"):])
	slash := bytes.IndexByte(file, '/')
	if slash <= 0 || len(more) > 0 {
		return gatepost.Event{}, false
	}
	return r.job(gatepost.OdooUpgrade, file[:slash]), true
}
