package gatepost

// Change is one thing that a live analysis has to say: a failing request, a verdict that later lines made another one, an
// incident that begins or ends.
type Change struct {
	Kind     ChangeKind
	Time     Time      // when it is said
	Failure  *Failure  // of Failed, Revised and Settled
	Was      *Verdict  // of Revised and Altered: what was said before
	Because  *Evidence // of Revised: the line that is new among the evidence, nil when none is
	Incident *Incident // of Opened, Altered, Grown and Closed, and of Failed where the failure belongs to one
	Gap      *Gap      // of Missed
	Text     string    // of Noted, Missed: in words
}

// ChangeKind says what a Change is.
type ChangeKind string

const (
	Failed  ChangeKind = "failed"  // a request failed; its verdict is provisional
	Revised ChangeKind = "revised" // later lines gave a failure another cause
	Settled ChangeKind = "settled" // no later line can change a verdict any more
	Opened  ChangeKind = "opened"  // an incident began
	Grown   ChangeKind = "grown"   // more requests belong to it
	Altered ChangeKind = "altered" // its cause is another one than was said
	Closed  ChangeKind = "closed"  // nothing more failed for a while
	Missed  ChangeKind = "missed"  // a part of a log was gone before it was read
	Noted   ChangeKind = "noted"   // anything else worth knowing: a file appeared, vanished, is not understood
)
