package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"gatepost"
	"gatepost/reports"
)

const (
	framesPerSecond = 10 // at most; a frame is drawn when something happened
	frame           = time.Second / framesPerSecond
	glance          = time.Second     // how often the state is looked at when no change is heard
	keptSayings     = 1000            // that the reader can go back to
	tardy           = 2 * time.Second // from which on a log is behind: what is being written this moment is not
	patienceAtEnd   = 3 * time.Second // for an output that takes no more
)

// viewable reports whether standard output is a terminal on which things can be drawn anywhere.
func (e *env) viewable() bool {
	term := e.getenv("TERM")
	return e.stdoutTerminal && term != "" && term != "dumb"
}

// liveView shows a live analysis on a terminal. It is a listener: what it hears it digests at once, which is bounded, and the terminal
// takes it from there when it can. What the rows look like is decided in reports; here are time, keys and the terminal.
type liveView struct {
	live   *reports.Live
	look   reports.Options // of which Color counts
	status func() status
	now    func() gatepost.Time

	mu     sync.Mutex
	digest reports.Digest
	told   []reports.Saying // not taken yet; the last keptSayings of them

	wake    chan struct{} // holds one: something was told
	glances <-chan time.Time
	rest    func() // waits for the length of a frame
	program *tea.Program
	done    chan struct{}
	err     error // why the terminal could not be used, once done
}

// newView takes over the terminal. quit is called when the reader wants no more, or the terminal is gone; it must not wait for close.
func newView(e *env, live *reports.Live, look reports.Options, status func() status, quit func()) *liveView {
	ticker := time.NewTicker(glance)
	v := &liveView{
		live: live, look: look, status: status, now: func() gatepost.Time { return gatepost.TimeOf(e.now()) },
		glances: ticker.C, rest: func() { time.Sleep(frame) },
	}
	v.start(e.stdout, quit, ticker.Stop)
	return v
}

// start runs the terminal in the background. Signals are main's business; Ctrl-C is a key while the terminal is taken.
func (v *liveView) start(out io.Writer, quit, stopped func(), more ...tea.ProgramOption) {
	v.wake, v.done = make(chan struct{}, 1), make(chan struct{})
	options := append([]tea.ProgramOption{tea.WithOutput(out), tea.WithFPS(framesPerSecond), tea.WithoutSignalHandler()}, more...)
	v.program = tea.NewProgram(&screen{view: v}, options...)
	go func() {
		_, err := v.program.Run()
		if err != nil {
			v.err = fmt.Errorf("terminal: %w", err)
		}
		close(v.done)
		stopped()
		quit()
	}()
}

func (v *liveView) hear(c gatepost.Change) {
	v.mu.Lock()
	v.tell(v.digest.Change(&c))
	v.mu.Unlock()
	select {
	case v.wake <- struct{}{}:
	default: // it will wake up anyway
	}
}

// tell adds to what the terminal is to take. The lock is held.
func (v *liveView) tell(all []reports.Saying) {
	v.told = append(v.told, all...)
	v.told = v.told[max(0, len(v.told)-keptSayings):]
}

// close gives the terminal back.
func (v *liveView) close() error {
	v.program.Quit()
	select {
	case <-v.done:
		return v.err
	case <-time.After(patienceAtEnd):
		v.program.Kill()
		return errStuck
	}
}

// news is what has happened since the last one.
type news struct {
	now  reports.Now
	told []reports.Saying
}

// next waits until something may have happened.
func (v *liveView) next() tea.Msg {
	v.rest()
	select {
	case <-v.wake:
	case <-v.glances:
	case <-v.done:
	}
	return v.gather()
}

func (v *liveView) gather() tea.Msg {
	v.mu.Lock()
	v.tell(v.digest.Tick(v.now()))
	told := v.told
	v.told = nil
	v.mu.Unlock()
	return news{nowOf(v.status()), told}
}

// nowOf is what the terminal shows of a status.
func nowOf(s status) reports.Now {
	n := reports.Now{
		Began: s.began, UpTo: gatepost.NoTime, Rate: s.rate, Failures: make(map[string]int64), Workers: s.workers, Busy: s.busy,
		Open: s.open, Gaps: s.gaps,
	}
	logs := make(map[string]bool) // of which one may hold several strands
	for as, k := range s.failures {
		n.Failures[as.cause] += k
	}
	for i := range s.sources {
		src := &s.sources[i]
		logs[src.path] = true
		if src.last.Known() {
			n.UpTo = max(n.UpTo, src.last)
		}
		if src.behind > 0 && src.lag >= tardy {
			n.Behind = append(n.Behind, reports.Lag{Path: src.path, Bytes: src.behind, For: src.lag})
		}
	}
	n.Logs = len(logs)
	return n
}

// screen is what stands on the terminal. It is changed by messages, one after the other, and drawn from nothing else.
type screen struct {
	view          *liveView
	board         reports.Board
	pending       news // what came while it was paused
	width, height int
}

// Init implements tea.Model.
func (s *screen) Init() tea.Cmd { return s.view.gather }

// Update implements tea.Model.
func (s *screen) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch m := msg.(type) {
	case tea.WindowSizeMsg:
		s.width, s.height = m.Width, m.Height
		s.clamp()
	case news:
		s.hear(m)
		return s, s.view.next
	case tea.KeyPressMsg:
		return s, s.key(m.String())
	}
	return s, nil
}

// View implements tea.Model.
func (s *screen) View() tea.View {
	v := tea.NewView("")
	if s.width > 0 {
		v.Content = strings.Join(s.view.live.Board(&s.board, s.height, s.options()), "\n")
	}
	v.AltScreen = true
	return v
}

func (s *screen) options() reports.Options {
	return reports.Options{Width: max(s.width, 1), Color: s.view.look.Color}
}

// hear takes news in, or lays them aside while the reader has paused.
func (s *screen) hear(n news) {
	if s.board.Paused {
		s.board.Unseen += len(n.told)
		told := append(s.pending.told, n.told...)
		s.pending = news{n.now, told[max(0, len(told)-keptSayings):]}
		return
	}
	s.board.Now = n.now
	if s.board.Back > 0 { // what the reader looks at stays where it is
		s.board.Back += s.view.live.Rows(n.told, s.options())
	}
	all := append(s.board.Sayings, n.told...)
	s.board.Sayings = all[max(0, len(all)-keptSayings):]
	s.clamp()
}

func (s *screen) pause() {
	s.board.Paused = !s.board.Paused
	if s.board.Paused {
		s.pending = news{now: s.board.Now}
		return
	}
	s.board.Unseen = 0
	s.hear(s.pending)
	s.pending = news{}
}

// key does what a key stands for.
func (s *screen) key(key string) tea.Cmd {
	switch page := max(1, s.height/2); key {
	case "q", "ctrl+c":
		return tea.Quit
	case "?":
		s.board.Help = !s.board.Help
	case "esc":
		s.board.Help = false
	case "p", "space":
		s.pause()
	case "up", "k":
		s.scroll(1)
	case "down", "j":
		s.scroll(-1)
	case "pgup":
		s.scroll(page)
	case "pgdown":
		s.scroll(-page)
	case "home", "g":
		s.scroll(s.view.live.Rows(s.board.Sayings, s.options()))
	case "end", "G":
		s.scroll(-s.board.Back)
	}
	return nil
}

func (s *screen) scroll(rows int) {
	s.board.Back += rows
	s.clamp()
}

func (s *screen) clamp() {
	if s.width > 0 {
		s.view.live.Clamp(&s.board, s.height, s.options())
	}
}
