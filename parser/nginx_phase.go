package parser

import (
	"bytes"

	"gatepost"
)

// Error numbers of Linux that nginx prints. The text behind them follows the locale, the number
// does not.
const (
	errNoEntry      = 2
	errAgain        = 11
	errNoMemory     = 12
	errAccess       = 13
	errFileTable    = 23
	errManyFiles    = 24
	errNoSpace      = 28
	errBrokenPipe   = 32
	errAddrNotAvail = 99
	errNetDown      = 100
	errNetUnreach   = 101
	errAborted      = 103
	errReset        = 104
	errTimedOut     = 110
	errRefused      = 111
	errHostDown     = 112
	errHostUnreach  = 113
	errQuota        = 122
)

// judge says what kind of event a line is, and names it; "" is a line that is none.
func (e *errorLine) judge() (kind gatepost.Kind, name string) {
	switch e.level {
	case "debug", "info":
		return "", ""
	case "notice":
		return e.notice()
	}
	if name := e.lack(); name != "" {
		return gatepost.NginxTrouble, name
	}
	if kind, name := e.notice(); kind != "" {
		return kind, name
	}
	switch {
	case contains(e.message, "buffered to a temporary file"):
		return "", ""
	case e.client != nil || e.upstream != nil || e.missingHost() != nil:
		return gatepost.NginxError, ""
	case e.level == "emerg":
		return gatepost.NginxTrouble, "configuration"
	}
	return "", ""
}

// lack names what nginx itself has too little of.
func (e *errorLine) lack() string {
	switch e.errno {
	case errManyFiles, errFileTable:
		return "files"
	case errNoSpace, errQuota:
		return "disk"
	case errNoMemory:
		return "memory"
	case errAddrNotAvail:
		if hasPrefix(e.action, "connecting to upstream") {
			return "ports"
		}
	}
	switch {
	case contains(e.message, "worker_connections are not"):
		return "connections"
	case contains(e.message, "exceed open file resource limit"):
		return "files"
	case contains(e.message, "failed: no memory"), contains(e.message, "could not allocate"):
		return "memory"
	case hasPrefix(e.action, "resolving"):
		return "resolver"
	}
	return ""
}

// notice names a line about the life of nginx.
func (e *errorLine) notice() (kind gatepost.Kind, name string) {
	m := e.message
	switch {
	case hasPrefix(m, "start worker processes"):
		name = "start"
	case string(m) == "reconfiguring":
		name = "reload"
	case hasPrefix(m, "gracefully shutting down"):
		name = "stop"
	case string(m) == "exit":
		name = "exit"
	case hasPrefix(m, "worker process ") && contains(m, " exited "):
		name = "worker_exit"
	default:
		return "", ""
	}
	return gatepost.NginxNotice, name
}

// exit reads "worker process 4242 exited on signal 9" and "… with code 2".
func (e *errorLine) exit() (pid, status int, ok bool) {
	rest, ok := bytes.CutPrefix(e.message, []byte("worker process "))
	if !ok {
		return 0, 0, false
	}
	p, _ := atoi(rest)
	for _, before := range [...]string{" exited on signal ", " exited with code "} {
		if _, after, ok := cut(rest, before); ok {
			s, _ := atoi(after)
			return int(p), int(s), true
		}
	}
	return 0, 0, false
}

// missingHost returns the name in `host not found in upstream "odoo:8069"`, with which nginx does
// not even start.
func (e *errorLine) missingHost() []byte {
	return between(e.message, `host not found in upstream "`, `"`)
}

// phase says what was going on with the upstream server; "" when the line is about something else.
// A server that is set aside ("temporarily disabled") has failed in the line before.
func (e *errorLine) phase() gatepost.Phase {
	m := e.message
	switch {
	case contains(m, "no live upstreams"):
		return gatepost.PhaseNoLive
	case contains(m, "could not be resolved"), contains(m, "no resolver defined"), contains(m, "host not found in upstream"):
		return gatepost.PhaseConfig
	case !e.ofUpstream(), contains(m, "temporarily disabled"):
		return ""
	case contains(m, "upstream timed out"):
		return e.timeout()
	case contains(m, "prematurely closed connection"):
		return gatepost.PhasePremature
	case hasPrefix(m, "upstream sent "), hasPrefix(m, "upstream SSL "), contains(m, "SSL handshake"), contains(m, "(SSL:"):
		return gatepost.PhaseProtocol
	case hasPrefix(m, "connect() "):
		return connectPhase(e.errno)
	}
	return e.brokenPhase()
}

// ofUpstream does not rest on the upstream field alone: a long request pushes it off the line.
func (e *errorLine) ofUpstream() bool {
	return e.upstream != nil || hasPrefix(e.message, "upstream ") || contains(e.action, "upstream")
}

// timeout tells the timeouts apart by what nginx was waiting for.
func (e *errorLine) timeout() gatepost.Phase {
	switch {
	case hasPrefix(e.action, "connecting to upstream"), hasPrefix(e.action, "SSL handshaking to upstream"):
		return gatepost.PhaseConnectTimeout
	case hasPrefix(e.action, "sending request to upstream"):
		return gatepost.PhaseSendTimeout
	case hasPrefix(e.action, "reading upstream"), hasPrefix(e.action, "proxying upgraded connection"):
		return gatepost.PhaseBodyTimeout
	case hasPrefix(e.action, "reading response header from upstream"):
		return gatepost.PhaseHeaderTimeout
	}
	return gatepost.PhaseUnknown
}

// connectPhase is for a connect() that the kernel itself turned down. Its own timeout counts as
// such, not as nginx's: the request gets a 502.
func connectPhase(errno int) gatepost.Phase {
	switch errno {
	case errRefused, errHostUnreach, errNetUnreach, errNetDown, errHostDown, errTimedOut:
		return gatepost.PhaseRefused
	case errAgain:
		return gatepost.PhaseBacklog
	case errNoEntry, errAccess:
		return gatepost.PhaseConfig
	case errReset, errAborted:
		return gatepost.PhaseReset
	}
	return gatepost.PhaseUnknown
}

// brokenPhase is for a connection that broke while it was used: recv(), writev(), sendfile().
func (e *errorLine) brokenPhase() gatepost.Phase {
	switch e.errno {
	case errReset, errBrokenPipe, errAborted:
		return gatepost.PhaseReset
	case errRefused, errHostUnreach, errNetUnreach:
		return gatepost.PhaseRefused
	case errTimedOut:
		return e.timeout()
	}
	return gatepost.PhaseUnknown
}
