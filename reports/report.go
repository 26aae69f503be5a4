// Package reports draws a Model: for people as a timeline, Markdown and a page, for programs as JSON
// lines, JSON and CSV.
//
// A report is one value in one file. What all of them share stands beside them: escape.go makes
// the text of strangers harmless, words.go says figures as people do, clock.go tells the time,
// tally.go counts, page.go lays out columns, ledger.go holds the objects that programs read. The page for
// a browser has its own: sheet.go is what its template lays out, account.go an incident in it, picture.go
// the night, load.go where the time went; chart.go draws SVG.
package reports

import (
	"io"
	"slices"
	"strings"

	"gatepost"
)

// Report is one way to draw a Model.
type Report struct {
	Name   string // "text"
	Ext    string // ".txt"
	Doc    string
	Night  bool // it draws Model.Night, which costs reading the store once more
	Render func(w io.Writer, m *gatepost.Model, o Options) error
}

// Options are what the reader's terminal can do. Reports for programs ignore them.
type Options struct {
	Width int // columns; 0 means 80, and fewer than 40 count as 40
	Color bool
}

var registry []*Report

// register adds a report; two of one name are a programming error.
func register(r *Report) *Report {
	if r.Name == "" || r.Ext == "" || r.Doc == "" || r.Render == nil {
		panic("reports: incomplete report " + r.Name)
	}
	if Lookup(r.Name) != nil {
		panic("reports: report " + r.Name + " registered twice")
	}
	registry = append(registry, r)
	return r
}

// All returns every report by name.
func All() []*Report {
	return slices.SortedFunc(slices.Values(registry), func(a, b *Report) int {
		return strings.Compare(a.Name, b.Name)
	})
}

// Lookup returns the report of that name, or nil.
func Lookup(name string) *Report {
	for _, r := range registry {
		if r.Name == name {
			return r
		}
	}
	return nil
}
