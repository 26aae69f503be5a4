package main

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"gatepost/parser"
)

// Every wrapping round the logs of every incident.

func init() {
	for _, w := range parser.Wrappings() {
		transformations = append(transformations, transformation{
			name: "in_" + strings.ReplaceAll(w.Name, " ", "_"), doc: "the lines of all programs collected in one file: " + w.Doc, apply: wrappedIn(w),
		})
	}
}

// programs are who writes the logs; a web server's container writes both of its logs into one stream.
var programs = map[string]string{"access.log": "web", "error.log": "web", "odoo.log": "odoo", "odoo-1.log": "odoo-1", "odoo-2.log": "odoo-2", "postgresql.log": "db"}

// wrappedIn collects the lines of the programs in one file, mixed as they were written, about. Where the wrapping tells
// nobody's name, each program has a file.
func wrappedIn(w *parser.Wrapping) func(folder, *rand.Rand) {
	type placed struct {
		line
		at float64 // share of its log that stands before it
	}
	at := time.Date(2026, 11, 22, 16, 0, 0, 0, time.UTC)
	named := w.Example("a", "", at) != w.Example("b", "", at)
	return func(f folder, _ *rand.Rand) {
		files := make(map[string][]placed)
		for name, program := range programs {
			lines, ok := f[name]
			if !ok || !wrappable(lines) {
				continue
			}
			file := "collected.log"
			if !named {
				file = program + ".collected.log"
			}
			for i, l := range lines {
				// What the wrapping makes several lines of is one: the failing line is its first.
				parts := strings.Split(strings.TrimSuffix(w.Example(program, l.text, at), "\n"), "\n")
				for j, text := range parts {
					origin := 0
					if j == 0 {
						origin = l.origin
					}
					files[file] = append(files[file], placed{line{text, origin}, float64(i) / float64(len(lines))})
				}
			}
			delete(f, name)
		}
		for name, lines := range files {
			slices.SortStableFunc(lines, func(a, b placed) int { return cmp.Compare(a.at, b.at) })
			for _, l := range lines {
				f[name] = append(f[name], l.line)
			}
		}
	}
}

// wrappable reports whether every wrapping can hold the lines.
func wrappable(lines []line) bool {
	return !slices.ContainsFunc(lines, func(l line) bool { return strings.ContainsAny(l.text, "\r\x00") })
}
