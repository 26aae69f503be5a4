package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"gatepost"
	"gatepost/reports"
)

// announcement is what a webhook or a command is told when an incident opens, gets another cause, or closes. Failures are not
// announced one by one: there may be thousands a minute. Its names are a promise like those of the ledger: added to, never changed.
type announcement struct {
	Type     string          `json:"type"` // incident_opened, incident_changed, incident_closed
	ID       string          `json:"id"`   // the same whenever this is said again
	At       string          `json:"at"`
	Host     string          `json:"host"` // the machine that says it
	Incident json.RawMessage `json:"incident"`
	Was      *wasRecord      `json:"was,omitempty"` // of incident_changed

	body  []byte    // all this as JSON
	vars  []string  // the gist of it as variables of an environment
	heard time.Time // by the clock of this machine, whatever the logs say
}

// wasRecord is what was said before.
type wasRecord struct {
	Cause    string `json:"cause"`
	Instance string `json:"instance,omitempty"`
}

// announced are the changes that are told, and as what.
var announced = map[gatepost.ChangeKind]string{
	gatepost.Opened:  "incident_opened",
	gatepost.Altered: "incident_changed",
	gatepost.Closed:  "incident_closed",
}

// announcer is the listener that tells webhooks and commands of incidents.
//
// With --redact the engine hides people in a change before any listener hears it, and in the names of sources. What comes in here
// is therefore handed on as it is; hiding again would make stand-ins of stand-ins.
type announcer struct {
	host    string
	log     *slog.Logger
	now     func() time.Time
	sources func() []gatepost.Source // of the lines that incidents cite; nil for none
	out     []*outbox
	causes  map[string]string // of the open incidents, as last told
	ended   sync.Once
}

// hear makes the JSON at once, since what a change points to is the engine's, and leaves the rest to the outboxes.
func (a *announcer) hear(c gatepost.Change) {
	kind, ok := announced[c.Kind]
	if !ok || c.Incident == nil {
		return
	}
	told, err := a.announcement(kind, &c)
	if err != nil {
		a.log.Error("incident not announced", "error", err)
		return
	}
	for _, o := range a.out {
		o.put(told)
	}
}

func (a *announcer) announcement(kind string, c *gatepost.Change) (*announcement, error) {
	i, heard := c.Incident, a.now()
	told := &announcement{Type: kind, At: c.Time.String(), Host: a.host, heard: heard}
	if !c.Time.Known() {
		told.At = gatepost.TimeOf(heard).String()
	}
	if c.Kind == gatepost.Altered {
		told.Was = &wasRecord{Cause: a.causes[i.ID]}
		if c.Was != nil {
			told.Was = &wasRecord{c.Was.Cause, c.Was.Instance}
		}
	}
	if a.causes == nil {
		a.causes = map[string]string{}
	}
	a.causes[i.ID] = i.Cause
	if c.Kind == gatepost.Closed {
		delete(a.causes, i.ID)
	}
	var sources []gatepost.Source
	if a.sources != nil {
		sources = a.sources()
	}
	var err error
	if told.Incident, err = reports.Incident(i, sources); err != nil {
		return nil, err
	}
	// The name is a hash of what is said, so that a program which starts again and says the same gives it the same name.
	if told.body, err = told.encode(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(told.body)
	told.ID = "n-" + hex.EncodeToString(sum[:12])
	if told.body, err = told.encode(); err != nil {
		return nil, err
	}
	told.vars = told.variables(i)
	return told, nil
}

func (t *announcement) encode() ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(t); err != nil {
		return nil, fmt.Errorf("encode %s: %w", t.Type, err)
	}
	return buf.Bytes(), nil
}

// variables are the gist for commands that do not read JSON. Texts are one line without controls: a NUL would end a variable.
func (t *announcement) variables(i *gatepost.Incident) []string {
	was := ""
	if t.Was != nil {
		was = t.Was.Cause
	}
	var vars []string
	for _, v := range [][2]string{
		{"TYPE", t.Type},
		{"ID", t.ID},
		{"AT", t.At},
		{"HOST", t.Host},
		{"INCIDENT", i.ID},
		{"CAUSE", i.Cause},
		{"WAS_CAUSE", was},
		{"INSTANCE", i.Instance},
		{"TITLE", i.Title},
		{"CONFIDENCE", strconv.FormatFloat(i.Confidence, 'f', 2, 64)},
		{"FAILURES", strconv.Itoa(i.Failures)},
		{"CLIENTS", strconv.Itoa(i.Clients)},
		{"FROM", i.From.String()},
		{"TO", i.To.String()},
	} {
		vars = append(vars, "GATEPOST_"+v[0]+"="+oneLine(v[1]))
	}
	return vars
}

// close waits a moment for all outboxes at once. That not all arrived is logged and no error: a webhook that is away must not make
// the program fail that has told it so. It may be called again.
func (a *announcer) close() error {
	a.ended.Do(func() {
		ended := make(chan error, len(a.out))
		for _, o := range a.out {
			go func() { ended <- o.close() }()
		}
		for range a.out {
			if err := <-ended; err != nil {
				a.log.Warn("not all was told", "error", err)
			}
		}
	})
	return nil
}
