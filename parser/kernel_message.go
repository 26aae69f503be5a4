package parser

import (
	"bytes"

	"gatepost"
)

// kernelMessage fills in e from the text of a kernel message, without the line's head. It
// returns false, and leaves e as it was, for the everyday ones: call traces, memory tables,
// devices that come and go.
func kernelMessage(msg []byte, e *gatepost.Event) bool {
	return kernelKill(msg, e) ||
		kernelScope(msg, e) ||
		kernelCrash(msg, e) ||
		kernelStall(msg, e) ||
		kernelDisk(msg, e) ||
		kernelNetwork(msg, e) ||
		kernelBoot(msg, e)
}

// kernelKill reads "Out of memory: Killed process 4711 (odoo: WorkerHTT) total-vm:…". Kernels up
// to 5.0 announce "Kill process" first and may then sacrifice a child, so only "Killed" counts.
func kernelKill(msg []byte, e *gatepost.Event) bool {
	const killed = "Killed process "
	i := 0
	if !hasPrefix(msg, killed) {
		if !hasPrefix(msg, "Out of memory") && !hasPrefix(msg, "Memory cgroup out of memory") {
			return false
		}
		if i = bytes.Index(msg, []byte(": "+killed)) + 2; i < 2 {
			return false
		}
	}
	s := msg[i+len(killed):]
	pid, n := atoi(s)
	if n == 0 || n > 9 || !hasPrefix(s[n:], " (") {
		return false
	}
	s = s[n+2:]
	// The name may hold parentheses: it ends where the sizes begin.
	end := bytes.LastIndex(s, []byte(") total-vm:"))
	if end < 0 {
		end = bytes.LastIndex(s, []byte("), UID ")) // as Red Hat 7 writes
	}
	if end < 0 {
		return false
	}
	sizes := s[end:]
	e.Kind = gatepost.KernelOOM
	e.PID, e.Name = int(pid), clip(s[:end])
	e.Number = kibibytes(sizes, "anon-rss:") + kibibytes(sizes, "file-rss:") + kibibytes(sizes, "shmem-rss:")
	return true
}

// kibibytes reads the size in kB behind a name as bytes, 0 without one.
func kibibytes(s []byte, name string) int64 {
	_, s, _ = cut(s, name)
	v, n := atoi(s)
	if n > 15 {
		return 0
	}
	return v << 10
}

// kernelScope reads the lines that tell what an out-of-memory kill was limited to.
func kernelScope(msg []byte, e *gatepost.Event) bool {
	const memcg = "CONSTRAINT_MEMCG"
	switch {
	case hasPrefix(msg, "oom-kill:constraint="):
		e.Name = clip(between(msg, "constraint=", ","))
		e.Path = clip(between(msg, ",task_memcg=", ",task="))
		if i := bytes.LastIndex(msg, []byte(",pid=")); i >= 0 {
			if pid, n := atoi(msg[i+len(",pid="):]); n < 10 {
				e.PID = int(pid)
			}
		}
	case hasPrefix(msg, "Task in ") && contains(msg, " killed as a result of limit of "):
		e.Name, e.Path = memcg, clip(between(msg, "Task in ", " killed as a result"))
	case hasPrefix(msg, "Tasks in ") && contains(msg, " are going to be killed due to memory.oom.group"):
		e.Name, e.Path = memcg, clip(between(msg, "Tasks in ", " are going to be killed"))
	default:
		return false
	}
	e.Kind = gatepost.KernelOOMScope
	return true
}

// kernelCrash reads "odoo[4711]: segfault at …" and "traps: odoo[4711] general protection fault …".
func kernelCrash(msg []byte, e *gatepost.Event) bool {
	who, what, ok := cut(msg, "]: segfault at ")
	if !ok {
		if !hasPrefix(msg, "traps: ") {
			return false
		}
		if who, what, ok = cut(msg[len("traps: "):], "] general protection"); !ok {
			if who, what, ok = cut(msg[len("traps: "):], "] trap "); !ok {
				return false
			}
		}
	}
	name, pid, ok := namePID(who, '[')
	if !ok {
		return false
	}
	e.Kind, e.Name, e.PID = gatepost.KernelSegfault, name, pid
	if _, what, ok = cut(what, " error"); ok {
		e.Path = clip(between(what, " in ", "["))
	}
	return true
}

// namePID splits "comm:123" or "comm[123" at the last separator: a comm may hold any byte.
func namePID(s []byte, sep byte) (name string, pid int, ok bool) {
	i := bytes.LastIndexByte(s, sep)
	if i < 0 {
		return "", 0, false
	}
	v, n := atoi(s[i+1:])
	if n == 0 || n > 9 || i+1+n != len(s) {
		return "", 0, false
	}
	return clip(s[:i]), int(v), true
}

func kernelStall(msg []byte, e *gatepost.Event) bool {
	var name string
	var pid int
	ok := true
	switch {
	case hasPrefix(msg, "INFO: task "):
		who, _, blocked := cut(msg[len("INFO: task "):], " blocked for more than ")
		name, pid, ok = namePID(who, ':')
		ok = ok && blocked
	case contains(msg, "soft lockup - CPU#"):
		who := msg[bytes.LastIndexByte(msg, '[')+1:]
		name, pid, ok = namePID(bytes.TrimSuffix(who, []byte{']'}), ':')
	case contains(msg, " self-detected stall on CPU"), contains(msg, " detected stalls on CPUs/tasks"):
		name = clip(between(msg, "INFO: ", " "))
	case contains(msg, ": page allocation stalls for "):
		who, _, _ := cut(msg, ": page allocation stalls for ")
		name = clip(who)
	case hasPrefix(msg, "clocksource: ") && contains(msg, "unstable"):
		name = "clocksource"
	default:
		return false
	}
	if !ok {
		return false
	}
	e.Kind, e.Name, e.PID = gatepost.KernelStall, name, pid
	return true
}

func kernelDisk(msg []byte, e *gatepost.Event) bool {
	dev := failingDevice(msg)
	if dev == nil {
		return false
	}
	e.Kind, e.Name = gatepost.KernelDisk, clip(dev)
	return true
}

// failingDevice returns the device that a message reports an error of, nil when it is no such
// message.
func failingDevice(msg []byte) []byte {
	switch {
	case contains(msg, " error, dev "): // I/O, critical medium, critical target, …
		return word(msg, " error, dev ")
	case hasPrefix(msg, "Buffer I/O error on dev"): // "on device" before 4.0
		return word(msg[len("Buffer I/O error on dev"):], " ")
	case hasPrefix(msg, "nvme ") && contains(msg, " timeout, "):
		return word(msg, "nvme ")
	case hasPrefix(msg, "EXT4-fs error (device "):
		return between(msg, "(device ", ")")
	case hasPrefix(msg, "EXT4-fs ("):
		if contains(msg, "Remounting filesystem read-only") || contains(msg, "failed for inode") {
			return between(msg, "(", ")")
		}
	case hasPrefix(msg, "XFS ("):
		// Mounting and unmounting are told in the same form.
		if contains(msg, "rror") || contains(msg, "orrupt") || contains(msg, "hutting down") || contains(msg, "hut down") {
			return between(msg, "(", ")")
		}
	}
	return nil
}

// word returns what follows before, up to a blank or a punctuation mark.
func word(msg []byte, before string) []byte {
	_, s, _ := cut(msg, before)
	if i := bytes.IndexAny(s, " ,:"); i >= 0 {
		s = s[:i]
	}
	return s
}

func kernelNetwork(msg []byte, e *gatepost.Event) bool {
	switch {
	case contains(msg, "ossible SYN flooding on port "):
		_, s, _ := cut(msg, " on port ")
		s, _, _ = cut(s, ". ")
		s = s[bytes.LastIndexByte(s, ':')+1:] // an address may stand before the port
		port, n := atoi(s)
		if n == 0 || port > 65535 {
			return false
		}
		e.Kind, e.Number = gatepost.KernelOverflow, port
	case contains(msg, ": table full, dropping packet"):
		e.Kind, e.Name = gatepost.KernelNetwork, "conntrack"
	case contains(msg, "eighbor table overflow"), contains(msg, "eighbour table overflow"):
		e.Kind, e.Name = gatepost.KernelNetwork, "neighbour"
	default:
		return false
	}
	return true
}

func kernelBoot(msg []byte, e *gatepost.Event) bool {
	if !hasPrefix(msg, "Linux version ") {
		return false
	}
	version, _, _ := cut(msg[len("Linux version "):], " ")
	e.Kind, e.Name = gatepost.KernelBoot, clip(version)
	return true
}
