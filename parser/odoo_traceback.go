package parser

import (
	"bytes"

	"gatepost"
)

// A traceback is judged by its deciding line: the one behind the frames, which names the
// exception. PostgreSQL's detail and hint may follow it.

const traceHead = "Traceback (most recent call last):"

// decision is what a piece of text without a head says. Its slices point into that text.
type decision struct {
	line []byte        // the deciding line, nil when there is none
	kind gatepost.Kind // "" when it is none in particular
	name []byte        // as the kind wants it
}

// decide looks for the deciding line of a text. Of chained exceptions the last decides, unless
// only an earlier one is of a known kind: the last is often a consequence ("cursor already
// closed" while the first was handled).
func decide(text []byte) decision {
	var best decision
	expected := false // behind the head of a traceback, before its exception
	for len(text) > 0 {
		end := lineEnd(text)
		line := trimEOL(text[:end])
		d := decision{}
		switch {
		case hasPrefix(line, traceHead):
			expected = true
		case len(line) == 0 || line[0] == ' ' || line[0] == '\t':
		case expected:
			expected = false
			d = classify(exception(text))
		default:
			d = headless(line)
		}
		if d.line != nil && (d.kind != "" || best.kind == "") {
			best = d
		}
		text = text[end:]
	}
	return best
}

// exceptionLimit bounds how much of one exception is searched for the reason.
const exceptionLimit = 4 << 10

// exception returns the text of the exception that s begins with, up to the next traceback.
func exception(s []byte) []byte {
	s = s[:min(len(s), exceptionLimit)]
	if i := bytes.Index(s, []byte("\n"+traceHead)); i >= 0 {
		s = s[:i]
	}
	return s
}

// classify judges an exception, which may have several lines: "psycopg2.OperationalError: …".
func classify(s []byte) decision {
	line := trimEOL(s[:lineEnd(s)])
	d := decision{line: line}
	class, _, _ := cut(line, ":")
	switch {
	case hasPrefix(line, "MemoryError"), contains(line, "[Errno 12] Cannot allocate memory"),
		contains(line, "can't start new thread"), contains(line, "std::bad_alloc"),
		contains(line, "khtmltopdf") && contains(line, "(error code: -11)"):
		d.kind = gatepost.OdooMemoryError
	case contains(line, "No space left on device"):
		return diskFull(line)
	case contains(line, "The Connection Pool Is Full"):
		d.kind = gatepost.OdooPoolFull
	case string(class) == "ModuleNotFoundError", string(class) == "ImportError":
		d.kind, d.name = gatepost.OdooLoadError, missingModule(line)
	case contains(line, "external dependency is not met"), contains(class, "MissingDependency"):
		d.kind, d.name = gatepost.OdooLoadError, missingModule(line)
	case contains(line, "Address already in use"):
		d.kind = gatepost.OdooLoadError
	case databaseClass(class):
		return classifyDatabase(s)
	}
	return d
}

// databaseClass reports whether an exception is psycopg2's; Python 2 prints it without the module.
func databaseClass(class []byte) bool {
	switch string(class) {
	case "OperationalError", "InterfaceError", "DatabaseError":
		return true
	}
	return hasPrefix(class, "psycopg2.")
}

// reasons are the words of libpq and PostgreSQL for a connection that is not to be had, the more
// particular first: with several addresses the first may be refused and the second tell why.
var reasons = []struct{ sign, word string }{
	{"too many clients already", "too_many"},
	{"remaining connection slots are reserved", "too_many"},
	{"too many connections for", "too_many"},
	{"no more connections allowed", "too_many"}, // PgBouncer, as the next two
	{"query_wait_timeout", "too_many"},
	{"server login has been failing", "refused"},
	{"the database system is starting up", "starting"},
	{"the database system is shutting down", "starting"},
	{"the database system is in recovery mode", "starting"},
	{"the database system is not yet accepting connections", "starting"},
	{"authentication failed", "auth"},
	{"no pg_hba.conf entry", "auth"},
	{"no password supplied", "auth"},
	{"FATAL:  role \"", "auth"},
	{"could not translate host name", "dns"},
	{"server closed the connection unexpectedly", "lost"},
	{"SSL SYSCALL error", "lost"},
	{"SSL connection has been closed unexpectedly", "lost"},
	{"terminating connection", "lost"},
	{"connection already closed", "lost"},
	{"cursor already closed", "lost"},
	{"could not receive data from server", "lost"},
	{"Connection refused", "refused"},
	{"No such file or directory", "refused"},
	{"No route to host", "refused"},
	{"could not connect to server", "unknown"},
	{"connection to server ", "unknown"},
}

// classifyDatabase judges what psycopg2 or PostgreSQL says. Statements that failed for themselves
// are of no kind.
func classifyDatabase(s []byte) decision {
	d := decision{line: trimEOL(s[:lineEnd(s)])}
	if contains(d.line, "No space left on device") {
		return diskFull(d.line)
	}
	s = s[:min(len(s), exceptionLimit)]
	for _, r := range reasons {
		i := bytes.Index(s, []byte(r.sign))
		if i < 0 {
			continue
		}
		start := bytes.LastIndexByte(s[:i], '\n') + 1
		return decision{
			line: bytes.TrimSpace(s[start : i+lineEnd(s[i:])]),
			kind: gatepost.OdooDBFailed,
			name: []byte(r.word),
		}
	}
	return d
}

// diskFull finds the file in `could not extend file "base/1/2": No space left on device` and in
// "OSError: [Errno 28] No space left on device: '/srv/odoo/sessions/x'".
func diskFull(line []byte) decision {
	d := decision{line: line, kind: gatepost.OdooDiskFull, name: between(line, `file "`, `"`)}
	if d.name == nil {
		d.name = between(line, "on device: '", "'")
	}
	return d
}

// missingModule names what an import lacks: a Python module, a name's module, a shared library.
func missingModule(line []byte) []byte {
	for _, sign := range []string{"No module named ", "Python library not installed: "} {
		if _, name, ok := cut(line, sign); ok {
			name, _, _ = cut(name, " ")
			return bytes.Trim(name, `'".;,`)
		}
	}
	if contains(line, "cannot import name ") {
		return between(line, " from '", "'")
	}
	if lib, _, ok := cut(line, ": cannot open shared object file"); ok {
		return lib[bytes.LastIndexByte(lib, ' ')+1:]
	}
	return nil
}

// fatals are lines that Odoo or a library prints to standard error without any head.
var fatals = []struct {
	sign string
	kind gatepost.Kind
}{
	{"CPU time limit exceeded! Shutting down immediately", gatepost.OdooWorkerCPU},
	{"Forced shutdown.", gatepost.OdooStop},
	{"terminate called after throwing an instance of 'std::bad_alloc'", gatepost.OdooMemoryError},
	{"libgomp: Thread creation failed", gatepost.OdooMemoryError},
	{"OpenBLAS blas_thread_init: pthread_create failed", gatepost.OdooMemoryError},
	{"Segmentation fault", gatepost.OdooWorkerError},
	{"Using the database user 'postgres' is a security risk, aborting.", gatepost.OdooLoadError},
}

// headless judges a line that stands for itself.
func headless(line []byte) decision {
	for _, f := range fatals {
		if hasPrefix(line, f.sign) {
			d := decision{line: line, kind: f.kind}
			switch f.kind {
			case gatepost.OdooStop:
				d.name = []byte("force")
			case gatepost.OdooWorkerError:
				d.name = line
			}
			return d
		}
	}
	return decision{}
}
