package main

import (
	"runtime"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"gatepost"
	"gatepost/correlate"
)

const (
	// maxSourceLabels is how many logs have time series of their own; the rest are one, otherSources. A folder of ten thousand
	// rotated files must not drown who collects.
	maxSourceLabels = 200
	otherSources    = "(others)"
	// maxLabel is how many bytes of a name a label holds.
	maxLabel = 200
)

// metrics makes of a status what Prometheus collects, at the moment it asks.
//
// A counter may only grow, and a verdict can be revised: then a failure leaves one cause for another. Counted by cause, failures are
// therefore a gauge, gatepost_failures, what the verdicts of this run say now. That a request failed is never revised:
// gatepost_failed_requests_total is a counter, and has no cause.
//
// With --redact the names of sources come in hidden, as everything of a status does.
type metrics struct {
	status func() status
	told   func() map[string]deliveries // by the kind of receiver
	pulse  *pulse
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("gatepost_"+name, help, labels, nil)
}

var (
	failuresDesc      = desc("failures", "Failed requests since the start, by cause and status, as the verdicts are now. A revised verdict moves a failure from one cause to another.", "cause", "status")
	failedDesc        = desc("failed_requests_total", "Failed requests since the start, by status.", "status")
	revisedDesc       = desc("verdicts_revised_total", "Verdicts that later lines made others.")
	requestsDesc      = desc("requests_total", "Requests read from access logs since the start.")
	openDesc          = desc("incidents_open", "Incidents that go on, by the cause they have now.", "cause")
	workersDesc       = desc("workers", "HTTP workers of Odoo. Absent when nothing tells.")
	busyDesc          = desc("workers_busy", "HTTP workers of Odoo at work, on average over the last ten seconds. Absent when nothing tells.")
	linesDesc         = desc("source_lines_total", "Lines read of a log.", "source")
	unparsedDesc      = desc("source_unparsed_lines_total", "Lines of a log that were not understood.", "source")
	lagBytesDesc      = desc("source_lag_bytes", "Bytes that are written to a log and not yet read.", "source")
	lagDesc           = desc("source_lag_seconds", "For how long the oldest unread line of a log has been waiting, about.", "source")
	lastDesc          = desc("source_last_line_timestamp_seconds", "Stamp of the last line of a log, on the common clock. Absent when no line has one.", "source")
	gapsDesc          = desc("gaps_total", "Parts of logs that were gone before they were read.")
	troubledDesc      = desc("in_trouble", "1 while something keeps it from reading or storing, such as a full disk; then it is tried again and again.")
	retriesDesc       = desc("failed_tries_total", "Tries to read, judge or store what is new that came to nothing.")
	judgingDesc       = desc("judging_seconds", "How long it took to judge, the last time.")
	sinceStepDesc     = desc("last_step_age_seconds", "How long ago the engine took its last step. Absent before the first.")
	notificationsDesc = desc("notifications_total", "Announcements of incidents to webhooks and commands, by what became of them.", "to", "result")
	pendingDesc       = desc("notifications_pending", "Announcements that wait for a webhook or a command.", "to")
	buildDesc         = desc("build_info", "Always 1; the labels say what runs.", "version", "goversion")
)

func (m *metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		failuresDesc, failedDesc, revisedDesc, requestsDesc, openDesc, workersDesc, busyDesc, linesDesc, unparsedDesc, lagBytesDesc, lagDesc, lastDesc,
		gapsDesc, troubledDesc, retriesDesc, judgingDesc, sinceStepDesc, notificationsDesc, pendingDesc, buildDesc,
	} {
		to <- d
	}
}

func (m *metrics) Collect(to chan<- prometheus.Metric) {
	s := m.status()
	counter := func(d *prometheus.Desc, v int64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}

	byStatus := map[int]int64{502: 0, 504: 0} // a counter that begins at one hides its first increase
	for as, n := range s.failures {
		byStatus[as.status] += n
	}
	for code, n := range byStatus {
		counter(failedDesc, n, strconv.Itoa(code))
	}
	for as, n := range s.failures {
		gauge(failuresDesc, float64(n), label(as.cause), strconv.Itoa(as.status))
	}
	open := map[string]int{gatepost.Undetermined: 0}
	for _, d := range correlate.Docs() {
		open[d.Name] = 0
	}
	for i := range s.open {
		open[label(s.open[i].Cause)]++
	}
	for cause, n := range open {
		gauge(openDesc, float64(n), cause)
	}
	counter(revisedDesc, s.revised)
	counter(requestsDesc, s.requests)
	counter(gapsDesc, s.gaps)
	troubled := 0.0
	if s.distress != "" {
		troubled = 1
	}
	gauge(troubledDesc, troubled)
	counter(retriesDesc, s.tries)
	gauge(judgingDesc, s.judging.Seconds())
	if age, began := m.pulse.age(); began {
		gauge(sinceStepDesc, age.Seconds())
	}
	if s.workers > 0 {
		gauge(workersDesc, float64(s.workers))
	}
	if s.busy >= 0 {
		gauge(busyDesc, s.busy)
	}
	for _, l := range labelled(s.sources) {
		counter(linesDesc, l.lines, l.path)
		counter(unparsedDesc, l.unparsed, l.path)
		gauge(lagBytesDesc, float64(l.behind), l.path)
		gauge(lagDesc, l.lag.Seconds(), l.path)
		if l.last.Known() {
			gauge(lastDesc, float64(l.last)/1e9, l.path)
		}
	}
	for kind, d := range m.told() {
		counter(notificationsDesc, d.delivered, kind, "delivered")
		counter(notificationsDesc, d.failed, kind, "failed")
		counter(notificationsDesc, d.dropped, kind, "dropped")
		gauge(pendingDesc, float64(d.waiting), kind)
	}
	gauge(buildDesc, 1, version(), runtime.Version())
}

// labelled are the sources by their labels, in the order of the first: strands of one file are one, and so is all that is too much.
func labelled(sources []sourceStatus) []sourceStatus {
	var all []sourceStatus
	at := map[string]int{}
	for _, s := range sources {
		name := label(s.path)
		strand := true
		i, ok := at[name]
		if !ok && len(all) >= maxSourceLabels {
			name, strand = otherSources, false
			i, ok = at[name]
		}
		if !ok {
			at[name] = len(all)
			s.path = name
			all = append(all, s)
			continue
		}
		l := &all[i]
		l.lines += s.lines
		l.unparsed += s.unparsed
		l.lag, l.last = max(l.lag, s.lag), max(l.last, s.last)
		if strand {
			l.behind = max(l.behind, s.behind) // the same bytes
		} else {
			l.behind += s.behind
		}
	}
	return all
}

// label makes a name fit for a label: names of files can hold anything, and a label must be UTF-8.
func label(name string) string {
	name = oneLine(strings.ToValidUTF8(name, string(utf8.RuneError)))
	if len(name) <= maxLabel {
		return name
	}
	cut := len(name) - maxLabel + len("…") // the end of a path says more than its beginning
	for !utf8.RuneStart(name[cut]) {
		cut++
	}
	return "…" + name[cut:]
}

// newRegistry is all that is collected: the analysis, and this process.
func newRegistry(m *metrics) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(m, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// deliveriesByKind adds up what became of announcements.
func deliveriesByKind(out []*outbox) map[string]deliveries {
	all := map[string]deliveries{}
	for _, o := range out {
		d, kind := o.deliveries(), o.to.kind()
		sum := all[kind]
		sum.delivered += d.delivered
		sum.failed += d.failed
		sum.dropped += d.dropped
		sum.waiting += d.waiting
		all[kind] = sum
	}
	return all
}
