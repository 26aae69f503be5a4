package gatepost

import "time"

// Failure is one access-log line whose status counts as a failure: by default 502 and 504.
type Failure struct {
	ID       string // "f-" and 12 hex digits, the same for the same line wherever it is found
	Ref      Ref
	Time     Time          // the stamp: when nginx logged the request, at its end
	Start    Time          // NoTime when the duration is not known
	Duration time.Duration // Unknown when the access log does not tell
	Status   int
	Method   string
	Path     string
	Client   string
	Upstream string
	Phase    Phase
	Verdict  Verdict
	Incident string // ID of the incident it belongs to
	// Finished is when Odoo finished it well although the user had seen the error; NoTime when no line tells that it did.
	Finished Time
}

// Verdict is the one cause given to a Failure, and the argument for it.
type Verdict struct {
	Cause      string // name of a registered cause, or Undetermined
	Instance   string // which one: "kernel killed pid 23976 (odoo) at 14:10:38"
	Via        string // how the cause reached this request, in words: "waited 6.0 s for a free worker"
	Confidence float64
	State      State
	Symptom    Evidence   // the line that shows how the request failed; without a role when none does
	Evidence   []Evidence // shared by the verdicts that rest on it, as are Rivals and Missing: not to be changed
	Rivals     []Rival
	Missing    []string // what would have made it surer: a log, a setting to switch on
}

// All returns the whole argument, the symptom first, in memory of its own.
func (v *Verdict) All() []Evidence {
	all := make([]Evidence, 0, 1+len(v.Evidence))
	if v.Symptom.Role != "" {
		all = append(all, v.Symptom)
	}
	return append(all, v.Evidence...)
}

// Undetermined is the cause of a failure that the evidence does not decide.
const Undetermined = "undetermined"

// State says whether later lines can still change a verdict.
type State string

const (
	Provisional State = "provisional"
	Final       State = "final"
)

// Role says which way a piece of evidence points.
type Role string

const (
	For     Role = "for"
	Against Role = "against"
)

// Evidence is a line, or the demonstrable absence of one, that speaks for or against a verdict.
type Evidence struct {
	Role Role
	Kind Kind   // of the event cited
	Ref  Ref    // zero when the evidence is an absence
	Time Time   // on the common clock
	Join string // what ties it to the failure: pid, request, lock, time, silence
	Says string // what it proves, as a sentence for people
	Text string // the raw line, filled in from the source before reporting
	// Weight is the weight of evidence in milli-bans: 1000 makes the cause ten times as likely.
	Weight int
}

// Rival is a cause that was considered and lost.
type Rival struct {
	Cause      string
	Instance   string
	Confidence float64
	WhyNot     string
}

// Incident is a group of failures with one root.
type Incident struct {
	ID         string // "i-01" in the order of time
	From, To   Time   // of the trouble as far as the logs show it
	Cause      string
	Instance   string
	Title      string // one line for people: what happened
	Confidence float64
	State      State
	Failures   int         // entries of the ledger
	Clients    int         // distinct client addresses hit
	Statuses   map[int]int // what users saw in that time, also the statuses that are no failures
	Chain      []Step      // root cause, critical failure, impact
	Evidence   []Evidence
	Rivals     []Rival
	Missing    []string
	Fix        []Advice
	Film       *Film // nil where workers have no part in it
}

// Step is one link of an incident's chain.
type Step struct {
	Role string // "root cause", "critical failure", "impact"
	Time Time
	Says string
	Ref  Ref    // line that shows it, zero when it is derived
	Text string // that line, filled in from the source before reporting
}

// Advice is one thing to change, with this installation's figures.
type Advice struct {
	Do    string // "raise proxy_read_timeout from 60 s to 120 s"
	Why   string // "8 of 8 requests would have been answered; the slowest took 96 s"
	File  string // where the setting goes, "" when it is no setting
	Line  string // the line to write there, or several
	Price string // what it costs
}

// CauseDoc is what a cause is, in words.
type CauseDoc struct {
	Name  string // as in the ledger
	Title string // "out of memory: killed by the kernel"
	Doc   string // when it is this, and when it is not
}
