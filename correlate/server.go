package correlate

import (
	"cmp"
	"slices"
	"sort"
	"time"

	"gatepost"
)

// server is one Odoo server, rebuilt from its log: the processes that lived when, and the
// generations of its master.
type server struct {
	name        string // of its log, without what rotation appended
	sources     map[int]bool
	httpPorts   map[string]bool
	geventPorts map[string]bool
	threaded    bool // workers = 0: requests and crons share one process
	dbs         map[string]bool

	processes   []*process
	byPID       map[int][]*process // each by birth
	generations []*generation
	downtimes   []*downtime
	deaths      []*death
	lives       population // of HTTP workers
	requests    int64      // request lines in its log
	first, last gatepost.Time
}

// role is what a process of Odoo is for.
type role string

const (
	roleMaster role = "master"
	roleHTTP   role = "HTTP worker"
	roleCron   role = "cron worker"
	roleGevent role = "event process"
	roleChild  role = "process" // not known
)

// process is one life of a pid; pids are used again within hours on a busy machine.
type process struct {
	pid       int
	role      role
	born      gatepost.Time // NoTime when it lived before the log began
	bornEvent *gatepost.Event
	last      gatepost.Time   // its last line
	served    gatepost.Time   // the end of its last request, NoTime before the first
	end       *gatepost.Event // the line that ends it in good order, or kills it; nil while alive or silent
	died      gatepost.Time   // when it ended in its work, NoTime unless it did
	initial   bool            // one of the workers that the master starts with
}

// generation is one life of the whole service, from the socket's opening to its end.
type generation struct {
	master    int
	start     *gatepost.Event // nil when it began before the log
	listening *gatepost.Event
	loaded    *gatepost.Event
	gevent    *gatepost.Event // the event process listens
	stop      *gatepost.Event // order to stop
	lost      *gatepost.Event // a child notices that the master is gone
	last      gatepost.Time   // last line of any of its processes
	// barren: it said that its port was open, and nothing after that. Odoo says so before it binds,
	// so a start that finds the port in use looks like this.
	barren bool
}

// start is a start that did not get to serve.
type failedStart struct {
	event  *gatepost.Event // "Odoo version"
	errors []*gatepost.Event
}

// findServers groups Odoo's logs into servers.
func (w *world) findServers() {
	byName := make(map[string]*server)
	w.owner, w.rebuilt = make(map[int]*server), make(map[*server]*rebuilding)
	ids := make([]int, 0, len(w.sources))
	for id := range w.sources {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		src := w.sources[id]
		if src.Format != "odoo" {
			continue
		}
		name := cmp.Or(src.Strand, stem(src.Path))
		sv := byName[src.Host+":"+name]
		if sv == nil {
			sv = &server{
				name: name, sources: make(map[int]bool), byPID: make(map[int][]*process), dbs: make(map[string]bool),
				httpPorts: make(map[string]bool), geventPorts: make(map[string]bool),
				first: gatepost.NoTime, last: gatepost.NoTime,
			}
			byName[src.Host+":"+name] = sv
			w.servers = append(w.servers, sv)
			w.rebuilt[sv] = &rebuilding{server: sv, starts: make(map[int]*gatepost.Event)}
		}
		sv.sources[id] = true
		w.owner[id] = sv
		sv.requests += src.Requests
		sv.see(src.Clock.At(src.First))
		sv.see(src.Clock.At(src.Last))
	}
	slices.SortFunc(w.servers, func(a, b *server) int { return cmp.Compare(a.name, b.name) })
}

func (sv *server) see(t gatepost.Time) {
	if !t.Known() {
		return
	}
	if !sv.first.Known() || t < sv.first {
		sv.first = t
	}
	if !sv.last.Known() || t > sv.last {
		sv.last = t
	}
}

// rebuilding makes a server of its events, which it takes in the order of time. Those of a frequent kind are
// not kept.
type rebuilding struct {
	server  *server
	workers bool                    // it has HTTP workers of its own
	open    *generation             // that has not ended
	starts  map[int]*gatepost.Event // the last one of each pid
}

func (b *rebuilding) observe(e *gatepost.Event) {
	if e.Kind == gatepost.OdooTraceback {
		return // whose it is, it does not say
	}
	sv := b.server
	if e.DB != "" && e.DB != "?" {
		sv.dbs[e.DB] = true
	}
	switch e.Kind {
	case gatepost.OdooWorkerAlive:
		b.workers = b.workers || e.Name != "WorkerCron"
		p := sv.birth(e.PID, e)
		p.role = roleHTTP
		if e.Name == "WorkerCron" {
			p.role = roleCron
		}
	case gatepost.OdooStart:
		sv.birth(e.PID, e)
	case gatepost.OdooListening:
		sv.life(e.PID, e.Time).role = roleMaster
		sv.httpPorts[port(e.Name)] = true
	case gatepost.OdooGeventReady:
		sv.life(e.PID, e.Time).role = roleGevent
		sv.geventPorts[port(e.Name)] = true
	case gatepost.OdooStop:
		sv.life(e.PID, e.Time).role = roleMaster
	case gatepost.OdooWorkerExit, gatepost.OdooWorkerTimeout, gatepost.OdooWorkerError:
		p := sv.life(e.PID, e.Time)
		p.end = e
		if e.Name == "WorkerCron" {
			p.does(roleCron)
		}
	case gatepost.OdooCronStart, gatepost.OdooCronEnd:
		sv.life(e.PID, e.Time).does(roleCron)
	case gatepost.OdooRequest:
		if e.Name != "gevent" {
			sv.life(e.PID, e.Time).does(roleHTTP)
		}
	}
	if pid := cmp.Or(e.By, e.PID); pid != 0 {
		sv.life(pid, e.Time).saw(e.Time)
	}
	b.generation(e)
}

// finish ends the rebuilding.
func (b *rebuilding) finish() {
	sv := b.server
	delete(sv.httpPorts, "")
	delete(sv.geventPorts, "")
	sv.threaded = !b.workers && len(sv.httpPorts) > 0 && len(sv.geventPorts) == 0
	b.next()
	sv.markInitial()
}

// mayListenOn reports whether the server listens on a port, as far as its log tells.
func (sv *server) mayListenOn(p string) bool {
	return p == "" || len(sv.httpPorts) == 0 || sv.httpPorts[p] || sv.geventPorts[p]
}

// birth begins a new life of a pid; a start block of the same process only moments ago goes on.
func (sv *server) birth(pid int, e *gatepost.Event) *process {
	if all := sv.byPID[pid]; len(all) > 0 {
		p := all[len(all)-1]
		if p.bornEvent != nil && p.bornEvent.Kind == e.Kind && e.Time.Sub(p.born) < time.Second {
			return p
		}
	}
	p := &process{pid: pid, role: roleChild, born: e.Time, bornEvent: e, last: e.Time, died: gatepost.NoTime, served: gatepost.NoTime}
	sv.byPID[pid] = append(sv.byPID[pid], p)
	sv.processes = append(sv.processes, p)
	return p
}

// life returns the life of a pid at t, beginning an unborn one when the log does not show its
// birth.
func (sv *server) life(pid int, t gatepost.Time) *process {
	all := sv.byPID[pid]
	for _, p := range slices.Backward(all) {
		if !p.born.Known() || p.born <= t.Add(time.Second) {
			return p
		}
	}
	p := &process{pid: pid, role: roleChild, born: gatepost.NoTime, last: t, died: gatepost.NoTime, served: gatepost.NoTime}
	sv.byPID[pid] = append([]*process{p}, all...)
	sv.processes = append(sv.processes, p)
	return p
}

func (p *process) saw(t gatepost.Time) { p.last = max(p.last, t) }

// does notes what a process of unknown birth is for by what it does.
func (p *process) does(r role) {
	if p.role == roleChild {
		p.role = r
	}
}

// bornBefore reports whether the process had begun by t.
func (p *process) bornBefore(t gatepost.Time) bool { return !p.born.Known() || p.born <= t }

// generation finds the lives of the whole service. The event process prints the same start block as the
// master; only a process that goes on to open the HTTP socket is a master.
func (b *rebuilding) generation(e *gatepost.Event) {
	switch e.Kind {
	case gatepost.OdooStart:
		b.starts[e.PID] = e
		return
	case gatepost.OdooListening:
		if b.open != nil && b.open.listening != nil && b.open.master == e.PID && b.open.stop == nil && b.open.start == b.starts[e.PID] {
			break // the port was taken, it tries again
		}
		b.next()
		b.open = &generation{master: e.PID, listening: e, start: b.starts[e.PID], last: e.Time, barren: true}
	}
	if b.open == nil {
		if e.Kind == gatepost.OdooStop || e.Kind == gatepost.OdooRequest || e.Kind == gatepost.OdooWorkerAlive || e.Kind == gatepost.OdooWorkerExit || e.Kind == gatepost.OdooParentChanged || e.Kind == gatepost.OdooCronStart || e.Kind == gatepost.OdooCronEnd {
			b.open = &generation{last: e.Time} // it ran before the log began
		} else {
			return
		}
	}
	if e.Kind != gatepost.OdooListening && e.Kind != gatepost.OdooError && e.Kind != gatepost.OdooLoadError {
		b.open.barren = false
	}
	switch e.Kind {
	case gatepost.OdooLoaded:
		if b.open.loaded == nil {
			b.open.loaded = e
		}
	case gatepost.OdooGeventReady:
		if b.open.gevent == nil {
			b.open.gevent = e
		}
	case gatepost.OdooStop:
		if own := b.starts[e.PID]; own != nil && own != b.open.start && b.open.master != e.PID {
			break // a run beside the service, such as an upgrade or a shell, ends
		}
		if b.open.stop == nil {
			b.open.stop, b.open.master = e, cmp.Or(b.open.master, e.PID)
		}
	case gatepost.OdooParentChanged:
		if b.open.lost == nil {
			b.open.lost = e
		}
	}
	if pid := cmp.Or(e.By, e.PID); b.starts[pid] == nil || b.starts[pid].Time <= b.open.last || pid == b.open.master {
		b.open.last = max(b.open.last, e.Time)
	}
}

// next ends the life of the service that is open.
func (b *rebuilding) next() {
	if b.open != nil && !b.open.barren {
		b.server.generations = append(b.server.generations, b.open)
	}
	b.open = nil
}

// initialBurst is within how long of each other the workers that a master begins with come alive.
const initialBurst = 2 * time.Second

// markInitial marks the workers that replace nobody.
func (sv *server) markInitial() {
	first := make(map[*generation]gatepost.Time)
	for _, p := range sv.processes {
		if p.bornEvent == nil || p.bornEvent.Kind != gatepost.OdooWorkerAlive || p.role != roleHTTP {
			continue
		}
		g := sv.generationAt(p.born)
		if g == nil {
			continue
		}
		if _, ok := first[g]; !ok {
			first[g] = p.born
		}
		p.initial = g.listening != nil && p.born <= first[g].Add(initialBurst)
	}
}

// generationAt returns the generation that served at t, or the last that began before.
func (sv *server) generationAt(t gatepost.Time) *generation {
	i := sort.Search(len(sv.generations), func(i int) bool {
		g := sv.generations[i]
		return g.listening != nil && g.listening.Time > t
	})
	if i > 0 {
		return sv.generations[i-1]
	}
	return nil
}

// population counts lives: the sorted times of births and of ends. A worker that falls silent is
// taken to live as long as its generation writes.
type population struct{ births, ends []gatepost.Time }

func (sv *server) countLives() {
	for _, p := range sv.processes {
		if p.role != roleHTTP {
			continue
		}
		sv.lives.births = append(sv.lives.births, p.born)
		switch {
		case p.died.Known():
			sv.lives.ends = append(sv.lives.ends, p.died)
		case p.end != nil:
			sv.lives.ends = append(sv.lives.ends, p.end.Time)
		default:
			if g := sv.generationAt(p.last); g != nil && g != sv.generations[len(sv.generations)-1] {
				sv.lives.ends = append(sv.lives.ends, g.last)
			}
		}
	}
	slices.Sort(sv.lives.births)
	slices.Sort(sv.lives.ends)
}

// workersAt returns how many HTTP workers lived at t, as far as the log shows.
func (sv *server) workersAt(t gatepost.Time) int {
	born, _ := slices.BinarySearch(sv.lives.births, t+1)
	gone, _ := slices.BinarySearch(sv.lives.ends, t)
	return born - gone
}
