package parser

import (
	"bytes"
	"time"

	"gatepost"
)

// pgMessage fills in e from a record of the server. It returns false for everyday ones:
// checkpoints, connections, autovacuum, quick statements.
func pgMessage(rec *pgRecord, slow time.Duration, e *gatepost.Event) bool {
	// Statements are whatever clients send: only the beginning tells what a message is.
	msg := trimEOL(rec.message[:min(lineEnd(rec.message), gatepost.TextLimit)])
	e.PID = rec.pid
	known := false
	switch rec.severity {
	case pgNote:
		switch {
		case pgDuration(msg) > 0:
			known = pgStatement(rec.message, slow, e)
		case hasPrefix(msg, "process "):
			known = pgLock(rec, msg, e)
		case hasPrefix(msg, "could not "), hasPrefix(msg, "unexpected "):
			known = pgLack(msg, e) || pgLost(msg, e)
		default:
			known = pgLife(msg, e) || pgCrash(rec, msg, e) || pgTold(rec, msg, e)
		}
	case pgWarning:
		known = pgCanceled(msg, e) || string(rec.code) == "57P02" && pgTold(rec, msg, e) // for the crash of another process
	case pgFatal:
		known = pgRefused(msg, e) || pgFailed(rec, msg, e)
	case pgError, pgPanic:
		known = pgFailed(rec, msg, e)
	}
	if known && e.DB == "" {
		e.DB = clip(rec.db)
	}
	return known
}

// pgFailed reads the message of an ERROR or worse; what is of no special kind is a PgError.
func pgFailed(rec *pgRecord, msg []byte, e *gatepost.Event) bool {
	switch {
	case pgLack(msg, e), pgCanceled(msg, e), pgConflict(msg, e), pgLost(msg, e), pgTold(rec, msg, e):
		if e.Kind == gatepost.PgDiskFull && rec.severity == pgPanic {
			e.Status = 1
		}
	default:
		e.Kind, e.Name = gatepost.PgError, rec.severity.String()
	}
	return true
}

// pgTold reads what the SQLSTATE tells where the message does not, because it is in another language or of
// another version. 55P03 is no lock_timeout for sure, and so remains a PgError.
func pgTold(rec *pgRecord, msg []byte, e *gatepost.Event) bool {
	code := string(rec.code)
	if rec.severity == pgFatal {
		switch code {
		case "53300":
			e.Kind = gatepost.PgTooMany
			return true
		case "57P03": // starting, stopping or in recovery
			e.Kind, e.Name = gatepost.PgRefused, "starting"
			return true
		case "28000", "28P01":
			e.Kind, e.Name = gatepost.PgRefused, "auth"
			return true
		case "3D000":
			e.Kind, e.Name = gatepost.PgRefused, "no_database"
			return true
		}
	}
	switch code {
	case "08006":
		e.Kind = gatepost.PgClientLost
	case "25P03":
		e.Kind, e.Name = gatepost.PgCanceled, "idle-in-transaction timeout"
	case "25P04":
		e.Kind, e.Name = gatepost.PgCanceled, "transaction timeout"
	case "40001":
		e.Kind = gatepost.PgSerialization
	case "40P01":
		e.Kind = gatepost.PgDeadlock
	case "53100":
		e.Kind, e.Name = gatepost.PgDiskFull, clip(between(msg, `"`, `"`))
	case "53200":
		e.Kind = gatepost.PgMemory
	case "57014": // a timeout, or somebody's wish
		e.Kind, e.Name = gatepost.PgCanceled, "cancel"
	case "57P01":
		e.Kind, e.Name = gatepost.PgCanceled, "administrator command"
	case "57P02":
		e.Kind, e.Name = gatepost.PgCanceled, "crash of another server process"
	case "57P05":
		e.Kind, e.Name = gatepost.PgCanceled, "idle-session timeout"
	default:
		return false
	}
	return true
}

// pgStatement reads "duration: 8126.786 ms  statement: SELECT …" and its variants for prepared
// statements and plans.
func pgStatement(msg []byte, slow time.Duration, e *gatepost.Event) bool {
	begin := pgDuration(msg)
	took, n := milliseconds(msg[begin:])
	if n == 0 || took < slow {
		return false
	}
	rest := bytes.TrimPrefix(msg[begin+n:], []byte(" ms"))
	var sql []byte // none when only log_duration is on
	if hasPrefix(rest, "  plan:") {
		_, sql, _ = cut(rest, "Query Text: ")
		sql = sql[:lineEnd(sql)]
	} else {
		_, sql, _ = cut(rest, ": ")
	}
	e.Kind, e.Duration, e.Name = gatepost.PgStatement, took, normalSQL(sql)
	return true
}

// milliseconds reads "1000.220" at the start of s; n is its length, 0 without one.
func milliseconds(s []byte) (d time.Duration, n int) {
	v, n := atoi(s)
	if n == 0 || n > 12 {
		return 0, 0
	}
	ns, m := fraction(s[n:])
	return time.Duration(v)*time.Millisecond + time.Duration(ns/1000), n + m
}

// pgLock reads "process 29546 still waiting for ShareLock on transaction 1411 after 1000.220 ms".
// A deadlock that it detected is told again by an ERROR.
func pgLock(rec *pgRecord, msg []byte, e *gatepost.Event) bool {
	msg = msg[len("process "):]
	pid, n := atoi(msg)
	if n == 0 || n > 9 {
		return false
	}
	switch msg = msg[n:]; {
	case hasPrefix(msg, " still waiting for "):
		e.Kind = gatepost.PgLockWait
		e.PIDs = lockHolders(rec.detail)
	case hasPrefix(msg, " acquired "):
		e.Kind = gatepost.PgLockAcquired
	default:
		return false
	}
	_, object, _ := cut(msg, " on ")
	end := bytes.LastIndex(object, []byte(" after "))
	if end < 0 {
		end = len(object)
	}
	if took, n := milliseconds(object[min(end+len(" after "), len(object)):]); n > 0 {
		e.Duration = took
	}
	e.PID, e.Name = int(pid), clip(object[:end])
	if relation := between(rec.context, `in relation "`, `"`); relation != nil {
		e.Name = clip(relation)
	}
	return true
}

// lockHolders reads "Process holding the lock: 29577. Wait queue: 29546, 29549."
func lockHolders(detail []byte) []int {
	const most = 100 // holders of a shared lock: one per connection
	_, list, _ := cut(detail, " holding the lock: ")
	var pids []int
	for len(pids) < most {
		pid, n := atoi(list)
		if n == 0 || n > 9 {
			break
		}
		pids = append(pids, int(pid))
		list = bytes.TrimPrefix(list[n:], []byte(", "))
	}
	return pids
}

// pgLife reads the start and the stop of the server.
func pgLife(msg []byte, e *gatepost.Event) bool {
	switch {
	case hasPrefix(msg, "starting PostgreSQL "): // 12 and later
		e.Kind, e.Name = gatepost.PgStart, "start"
	case hasPrefix(msg, "database system was not properly shut down"):
		e.Kind, e.Name = gatepost.PgStart, "recovery"
	case begins(msg, pgReadyWords):
		e.Kind = gatepost.PgReady
	case hasPrefix(msg, "received ") && bytes.HasSuffix(msg, []byte(" shutdown request")):
		e.Kind, e.Name = gatepost.PgStop, clip(between(msg, "received ", " shutdown request"))
	case isOne(msg, pgDownWords):
		e.Kind = gatepost.PgDown
	default:
		return false
	}
	return true
}

// pgCrash reads "server process (PID 4711) was terminated by signal 9: Killed". Only the exit of
// a client's process is a crash; background workers come and go.
func pgCrash(rec *pgRecord, msg []byte, e *gatepost.Event) bool {
	who, what, ok := cut(msg, " (PID ")
	if !ok || bytes.IndexByte(who, ':') >= 0 { // a colon comes before what clients choose
		return false
	}
	pid, n := atoi(what)
	if n == 0 || n > 9 {
		return false
	}
	const signal, exit = ") was terminated by signal ", ") exited with exit code "
	client := string(who) == "server process" || string(who) == "client backend" // 18 says the latter
	switch what = what[n:]; {
	case hasPrefix(what, signal):
		what = what[len(signal):]
	case hasPrefix(what, exit) && client:
		what = what[len(exit):]
	default:
		return false
	}
	status, n := atoi(what)
	if n == 0 || n > 9 {
		return false
	}
	e.Kind, e.PID, e.Status = gatepost.PgCrash, int(pid), int(status)
	if _, sql, ok := cut(rec.detail, "Failed process was running: "); ok {
		e.Name = normalSQL(sql)
	}
	return true
}

// pgLost reads what the server says of a client that went away.
func pgLost(msg []byte, e *gatepost.Event) bool {
	switch {
	case hasPrefix(msg, "unexpected EOF on client connection"):
		if contains(msg, "open transaction") {
			e.Name = "transaction"
		}
	case hasPrefix(msg, "could not receive data from client: "), hasPrefix(msg, "could not send data to client: "),
		hasPrefix(msg, "connection to client lost"):
	default:
		return false
	}
	e.Kind = gatepost.PgClientLost
	return true
}

// pgLack reads what the server lacks: room on a disk, memory, processes. A shared memory segment
// that finds "no space" lies in memory, not on a disk.
func pgLack(msg []byte, e *gatepost.Event) bool {
	shared := hasPrefix(msg, "could not resize shared memory segment ")
	switch {
	case string(msg) == "out of memory", hasPrefix(msg, "could not fork "), shared,
		bytes.HasSuffix(msg, []byte(": Cannot allocate memory")):
		e.Kind = gatepost.PgMemory
	case bytes.HasSuffix(msg, []byte(": No space left on device")),
		hasPrefix(msg, "could not extend file ") && contains(msg, ": wrote only "):
		e.Kind, e.Name = gatepost.PgDiskFull, clip(between(msg, `"`, `"`))
	default:
		return false
	}
	return true
}

// pgRefused reads why a connection was not made.
func pgRefused(msg []byte, e *gatepost.Event) bool {
	reason := ""
	switch {
	case hasPrefix(msg, "sorry, too many clients already"), hasPrefix(msg, "remaining connection slots are reserved "),
		hasPrefix(msg, "too many connections for "), hasPrefix(msg, "number of requested standby connections exceeds "):
		e.Kind = gatepost.PgTooMany
		if hasPrefix(msg, "too many connections for ") {
			e.Name = clip(between(msg, `"`, `"`))
		}
		return true
	case hasPrefix(msg, "the database system is "):
		state := msg[len("the database system is "):]
		switch {
		case hasPrefix(state, "starting up"):
			reason = "starting"
		case hasPrefix(state, "shutting down"):
			reason = "stopping"
		default: // in recovery mode, not (yet) accepting connections
			reason = "recovery"
		}
	case hasPrefix(msg, `database "`) && bytes.HasSuffix(msg, []byte(" does not exist")):
		reason = "no_database"
	case hasPrefix(msg, `role "`) && bytes.HasSuffix(msg, []byte(" does not exist")),
		contains(msg, " authentication failed for user "),
		hasPrefix(msg, "no pg_hba.conf entry for "), hasPrefix(msg, "pg_hba.conf rejects connection "):
		reason = "auth"
	default:
		return false
	}
	e.Kind, e.Name = gatepost.PgRefused, reason
	if reason == "no_database" {
		e.DB = clip(between(msg, `"`, `"`))
	}
	return true
}

// pgCanceled reads "canceling statement due to statement timeout", "terminating connection due to
// administrator command" and their like; the name is what it was due to.
func pgCanceled(msg []byte, e *gatepost.Event) bool {
	switch {
	case string(msg) == "canceling autovacuum task":
		e.Name = "autovacuum"
	case hasPrefix(msg, "canceling "), hasPrefix(msg, "terminating "):
		_, why, ok := cut(msg, " due to ")
		if !ok {
			_, why, ok = cut(msg, " because of ")
		}
		if !ok {
			return false
		}
		e.Name = clip(why)
	default:
		return false
	}
	e.Kind = gatepost.PgCanceled
	return true
}

// pgConflict reads the conflicts of transactions that Odoo answers by trying again.
func pgConflict(msg []byte, e *gatepost.Event) bool {
	switch {
	case hasPrefix(msg, "could not serialize access "):
		e.Kind = gatepost.PgSerialization
	case hasPrefix(msg, "deadlock detected"):
		e.Kind = gatepost.PgDeadlock
	default:
		return false
	}
	return true
}
