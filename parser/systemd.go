package parser

import (
	"bytes"

	"gatepost"
)

// systemdMessage fills in e from a message of systemd's process 1 about a unit, or of
// systemd-oomd about a control group. It returns false for what says nothing about the life of a
// service.
func systemdMessage(msg []byte, e *gatepost.Event) bool {
	if unit, what, ok := cut(msg, ": "); ok && unitName(unit) {
		return unitMessage(unit, what, e)
	}
	return jobMessage(msg, e) || oldUnitMessage(msg, e) || oomdMessage(msg, e)
}

// unitMessage reads "odoo.service: Main process exited, …".
func unitMessage(unit, what []byte, e *gatepost.Event) bool {
	switch {
	case hasPrefix(what, "Main process exited, "), hasPrefix(what, "main process exited, "): // 219 and before
		e.Kind = gatepost.UnitExit
		e.Path = clip(between(what, "code=", ","))
		_, status, _ := cut(what, "status=")
		if v, n := atoi(status); n < 10 {
			e.Status = int(v)
		}
	case hasPrefix(what, "Failed with result '"):
		e.Kind = gatepost.UnitFailed
		e.Path = clip(between(what, "'", "'"))
	case string(what) == "Succeeded.", string(what) == "Deactivated successfully.":
		if !serves(unit) {
			return false
		}
		e.Kind = gatepost.UnitStopped
	case hasPrefix(what, "Scheduled restart job"):
		e.Kind = gatepost.UnitRestart
		_, counter, _ := cut(what, "counter is at ")
		e.Number, _ = atoi(counter)
	case bytes.HasSuffix(what, []byte(", scheduling restart.")): // before 235
		e.Kind = gatepost.UnitRestart
	case hasPrefix(what, "Start request repeated too quickly"):
		e.Kind = gatepost.UnitGaveUp
	case hasPrefix(what, "A process of this unit has been killed by the OOM killer"),
		hasPrefix(what, "systemd-oomd killed "):
		e.Kind = gatepost.UnitOOM
	default:
		return false
	}
	e.Name = clip(unit)
	return true
}

// jobMessage reads "Started odoo.service - Odoo.", or without the unit before version 250.
func jobMessage(msg []byte, e *gatepost.Event) bool {
	verb, what, ok := cut(msg, " ")
	if !ok {
		return false
	}
	kind := gatepost.Kind("")
	switch string(verb) {
	case "Starting":
		kind = gatepost.UnitStart
	case "Started":
		kind = gatepost.UnitStarted
	case "Stopping":
		kind = gatepost.UnitStop
	case "Stopped":
		kind = gatepost.UnitStopped
	case "Failed":
		if !hasPrefix(what, "to start ") {
			return false
		}
		what = what[len("to start "):]
		e.Kind, e.Name = gatepost.UnitFailed, clip(described(what))
		return true
	case "Dependency":
		if !hasPrefix(what, "failed for ") {
			return false
		}
		e.Kind, e.Path, e.Name = gatepost.UnitFailed, "dependency", clip(described(what[len("failed for "):]))
		return true
	case "Job":
		unit, what, ok := cut(what, "/start failed with result '")
		if !ok {
			return false
		}
		what, _, _ = cut(what, "'")
		e.Kind, e.Path, e.Name = gatepost.UnitFailed, clip(what), clip(unit)
		return true
	default:
		return false
	}
	name := described(what)
	if !serves(name) {
		return false
	}
	e.Kind, e.Name = kind, clip(name)
	return true
}

// described returns the unit of "odoo.service - Odoo Open Source ERP." or else the description.
func described(s []byte) []byte {
	s = bytes.TrimRight(s, ".")
	if unit, _, ok := cut(s, " - "); ok && unitName(unit) {
		return unit
	}
	return s
}

// oldUnitMessage reads the sentences of version 219 and before that name the unit inside.
func oldUnitMessage(msg []byte, e *gatepost.Event) bool {
	kind := gatepost.UnitFailed
	unit := between(msg, "Unit ", " entered failed state.")
	if unit == nil {
		const quickly = "start request repeated too quickly for "
		switch before, _, ok := cut(msg, " holdoff time over, scheduling "); {
		case ok:
			kind, unit = gatepost.UnitRestart, before
		case hasPrefix(msg, quickly):
			kind, unit = gatepost.UnitGaveUp, msg[len(quickly):]
		}
	}
	if !unitName(unit) {
		return false
	}
	e.Kind, e.Name = kind, clip(unit)
	return true
}

// oomdMessage reads "Killed /system.slice/odoo.service due to memory pressure for …".
func oomdMessage(msg []byte, e *gatepost.Event) bool {
	if !hasPrefix(msg, "Killed /") && !hasPrefix(msg, "Marked /") {
		return false
	}
	group, _, ok := cut(msg[len("Killed "):], " due to memory ")
	if !ok {
		return false
	}
	group = bytes.TrimSuffix(group, []byte(" for killing"))
	e.Kind, e.Name = gatepost.UnitOOM, clip(group[bytes.LastIndexByte(group, '/')+1:])
	return true
}

// unitName reports whether s is the name of a unit: no blank, and a known suffix.
func unitName(s []byte) bool {
	i := bytes.LastIndexByte(s, '.')
	if i <= 0 || bytes.IndexByte(s, ' ') >= 0 {
		return false
	}
	switch string(s[i+1:]) {
	case "service", "socket", "scope", "slice", "timer", "path", "target", "mount", "automount", "swap", "device":
		return true
	}
	return false
}

// serves reports whether the start and stop of a unit are worth an event: sessions of users,
// slices and timers come and go all day.
func serves(name []byte) bool {
	if hasPrefix(name, "Session ") || hasPrefix(name, "target ") {
		return false
	}
	return !unitName(name) || bytes.HasSuffix(name, []byte(".service")) || bytes.HasSuffix(name, []byte(".socket"))
}
