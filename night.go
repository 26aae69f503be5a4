package gatepost

import "time"

// Night is what a page draws beside the verdicts: the time of a report in equal steps, and what stands out in it. Its size is
// bounded, however many requests there were. Only reports that ask for it get one.
type Night struct {
	From, To Time          // the time that the report is about
	Step     time.Duration // of Moments: 1 s to 30 s, or whole minutes
	Moments  []Moment
	Causes   []string // of the failures, the most frequent first; then those that other Days have
	Latency  string   // whose durations Moments and Routes have: "the access log", "Odoo", "" when no log tells
	Odoo     bool     // Odoo's log tells how long its workers worked

	Workers  int64         // of Odoo by its configuration, 0 when not known
	Patience time.Duration // of the proxy by its configuration, 0 when not known

	People   int // that made requests, by their addresses; 0 when no line tells, or too many to count
	Minutes  int // of the clock, from From to To
	Affected int // of these, with a request under way that failed

	Hosts     []string // that the proxy's lines name, at most a few
	Databases []string // that Odoo's and PostgreSQL's lines name, at most a few
	Whose     map[string]Whose

	Routes     []RouteLoad     // by the time that they took in all
	Statements []StatementLoad // slow ones, by the time that they took in all
	Actions    []ActionLoad    // by their longest run
	Late       []LateAnswer    // the first ones that were sent again, then the first others
	LateInAll  int
	LateAgain  int // of these, sent again

	Before     *Stretch // the same hours as many days before as the report covers, about, nil when the store has none
	WeekBefore *Stretch // and a week before
	Days       []Day    // the last ones up to To, the earliest first; fewer than two are left out
}

// Moment is one step of a Night.
type Moment struct {
	Requests    int           // that ended
	Failures    []int         // of these, by cause as in Night.Causes; nil for none
	Busy        float64       // workers at work, on average
	Median, P95 time.Duration // that requests took, Unknown when none tells
}

// Whose says what the line of a failure does not tell itself, as far as a line that its verdict cites does.
type Whose struct{ Host, Database string }

// RouteLoad is what the requests of one route took.
type RouteLoad struct {
	Route              string // method and path with varying parts replaced by "*"
	Requests, Failures int
	Total              time.Duration
	Median, P95, Max   time.Duration
}

// StatementLoad is what the slow runs of one SQL statement took; fast ones are not in the log.
type StatementLoad struct {
	Statement string // normalised
	Database  string
	Runs      int
	Total     time.Duration
	Max       time.Duration
	At        Time // end of the longest
}

// ActionLoad is what the runs of one scheduled action took.
type ActionLoad struct {
	Name, Database string
	Runs           int
	Failed         int // that ended with an error
	Open           int // whose end no line tells
	Total, Max     time.Duration
	At             Time     // beginning of the longest
	Beside         []string // other actions that ran at the same time, the most frequent first, at most a few
	BesideRuns     int      // runs with another one beside them
	Incidents      []string // IDs of those in whose time it ran, at most a few
}

// LateAnswer is a failure that Odoo finished well after the user had seen the error.
type LateAnswer struct {
	ID           string // of the failure
	Time         Time   // when the user saw the error
	Method, Path string
	Client       string
	Finished     Time
	Again        Time // when the same client sent the same request again, if that may change something twice; else NoTime
}

// Stretch counts the access lines of a time.
type Stretch struct {
	From, To           Time
	Requests, Failures int64
}

// Day counts the access lines of a day of the report's zone.
type Day struct {
	Stretch
	Causes []int // of the failures that were judged, as in Night.Causes; nil for none
}
