package reports

import (
	"regexp"
	"slices"
	"time"

	"gatepost"
)

// The correlator writes instants into its sentences whole and in UTC, for programs. People read
// them in the report's zone, as briefly as all other times.

var instant = regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)

// tell returns a sentence with its instants told in the zone of the report.
func (c *clock) tell(s string) string { return tellWith(c.at, s) }

func tellWith(tell func(gatepost.Time) string, s string) string {
	return instant.ReplaceAllStringFunc(s, func(stamp string) string {
		t, err := time.Parse(time.RFC3339, stamp)
		if err != nil {
			return stamp
		}
		return tell(gatepost.TimeOf(t))
	})
}

func (c *clock) tellAll(list []string) []string {
	list = slices.Clone(list)
	for i := range list {
		list[i] = c.tell(list[i])
	}
	return list
}

// incidents returns copies with their sentences told; lines of logs stay as they are.
func (c *clock) incidents(list []gatepost.Incident) []gatepost.Incident {
	list = slices.Clone(list)
	for i := range list {
		in := &list[i]
		in.Title, in.Instance = c.tell(in.Title), c.tell(in.Instance)
		in.Evidence, in.Rivals, in.Missing = c.evidence(in.Evidence), c.rivals(in.Rivals), c.tellAll(in.Missing)
		in.Chain = slices.Clone(in.Chain)
		for j := range in.Chain {
			in.Chain[j].Says = c.tell(in.Chain[j].Says)
		}
		in.Fix = slices.Clone(in.Fix)
		for j := range in.Fix {
			a := &in.Fix[j]
			a.Do, a.Why, a.Price = c.tell(a.Do), c.tell(a.Why), c.tell(a.Price)
		}
	}
	return list
}

// failure returns a copy with the sentences of its verdict told.
func (c *clock) failure(f *gatepost.Failure) *gatepost.Failure {
	told := *f
	v := &told.Verdict
	v.Instance, v.Via, v.Symptom.Says = c.tell(v.Instance), c.tell(v.Via), c.tell(v.Symptom.Says)
	v.Evidence, v.Rivals, v.Missing = c.evidence(v.Evidence), c.rivals(v.Rivals), c.tellAll(v.Missing)
	return &told
}

func (c *clock) evidence(list []gatepost.Evidence) []gatepost.Evidence {
	list = slices.Clone(list)
	for i := range list {
		list[i].Says = c.tell(list[i].Says)
	}
	return list
}

func (c *clock) rivals(list []gatepost.Rival) []gatepost.Rival {
	list = slices.Clone(list)
	for i := range list {
		list[i].Instance, list[i].WhyNot = c.tell(list[i].Instance), c.tell(list[i].WhyNot)
	}
	return list
}
