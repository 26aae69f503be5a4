// Package reports draws a Model: for people as a timeline and Markdown, for programs as JSON
// lines, JSON and CSV.
package reports

import (
	"gatepost"
	"io"
)

// Report is one way to draw a Model.
type Report struct {
	Name   string // "text"
	Ext    string // ".txt"
	Doc    string
	Render func(w io.Writer, m *gatepost.Model, o Options) error
}

// Options are what the reader's terminal can do.
type Options struct {
	Width int // columns; 0 means 80
	Color bool
}

// All returns every report by name; Lookup one, or nil.
func All() []*Report             { panic("not yet") }
func Lookup(name string) *Report { panic("not yet") }

// Explain draws the whole argument for one failure.
func Explain(w io.Writer, m *gatepost.Model, f *gatepost.Failure, o Options) error { panic("not yet") }
