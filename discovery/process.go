package discovery

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatepost"
)

// process is something that runs. Facts: proc_pid_cmdline(5), proc_pid_environ(5), proc_pid_root(5).
type process struct {
	pid  int
	name string   // of the program: what the command line begins with, or the script that an interpreter runs
	args []string // behind the name
	dir  string   // where it was started, "" when that cannot be seen
	root string   // before paths as it sees them: that of its container, "" for those of the machine
	proc string
}

func (p *process) String() string { return "command line of process " + strconv.Itoa(p.pid) }

// absolute is a path of the process's.
func (p *process) absolute(path string) string {
	if filepath.IsAbs(path) || p.dir == "" {
		return path
	}
	return filepath.Join(p.dir, path)
}

// environment returns a variable of the process, "" when it has none or that cannot be seen.
func (p *process) environment(name string) string {
	data, _ := os.ReadFile(p.proc + "/environ")
	for entry := range bytes.SplitSeq(data, []byte{0}) {
		if value, ok := strings.CutPrefix(string(entry), name+"="); ok {
			return value
		}
	}
	return ""
}

// processes returns what runs, by pid. What cannot be seen of another user's process is left out.
func processes(proc string) (all []*process) {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil
	}
	mine, _ := os.Readlink(proc + "/self/ns/mnt")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		p := &process{pid: pid, proc: filepath.Join(proc, e.Name())}
		data, err := os.ReadFile(p.proc + "/cmdline")
		if err != nil || len(data) == 0 {
			continue
		}
		p.command(strings.Split(strings.TrimRight(string(data), "\x00"), "\x00"))
		if p.dir, err = os.Readlink(p.proc + "/cwd"); err != nil {
			p.dir = ""
		}
		if theirs, err := os.Readlink(p.proc + "/ns/mnt"); err == nil && mine != "" && theirs != mine {
			p.root = p.proc + "/root"
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *process) int { return a.pid - b.pid })
	return all
}

// command splits a command line. An interpreter stands for what it runs, and what renamed itself for what it calls itself:
// "nginx: master process nginx", "postgres: checkpointer".
func (p *process) command(args []string) {
	title, rest, renamed := strings.Cut(args[0], ": ")
	name, args := filepath.Base(title), args[1:]
	if renamed {
		args = append(strings.Fields(rest), args...)
	}
	for strings.HasPrefix(name, "python") && len(args) > 0 {
		switch {
		case args[0] == "-m" && len(args) > 1:
			name, args = args[1], args[2:]
		case strings.HasPrefix(args[0], "-"):
			args = args[1:]
		default:
			name, args = strings.TrimSuffix(filepath.Base(args[0]), ".py"), args[1:]
		}
	}
	p.name, p.args = name, args
}

// bootTime reads when the machine came up.
func bootTime(stat string) gatepost.Time {
	data, _ := os.ReadFile(stat)
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "btime "); ok {
			if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
				return gatepost.TimeOf(time.Unix(seconds, 0))
			}
		}
	}
	return gatepost.NoTime
}
