package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"gatepost"
	"gatepost/parser"
	"gatepost/parser/source"
)

// TestParallel holds that a log which is cut into blocks and parsed side by side gives what it gives in one
// piece: the same requests, events and routes in the same order. It fails when that says nothing,
// because no record lay across the edge of a block.
func TestParallel(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	crossed := 0
	try := func(name string, text []byte, size int) {
		t.Helper()
		p := parser.Detect(text[:min(len(text), parser.SampleSize)], &parser.Options{Latest: clock()})
		if p == nil {
			return // configuration
		}
		whole := gatepost.Batch{}
		p.Parse(&gatepost.Block{Source: 1, Line: 1, Data: text}, &whole)
		p.Admit(&whole)

		s, err := source.InMemory(name, text, time.Time{}).Open()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		p = p.Clone()
		cutter := &source.Cutter{Source: 1, Starts: p.Starts(), Size: size}
		var pieces gatepost.Batch
		blocks := 0
		err = parsed(t.Context(), cutter, s, gatepost.Source{}, p, func(next *piece) error {
			if next.err != nil {
				return next.err
			}
			if next.block.Offset > 0 && next.block.Offset%int64(size) != 0 {
				crossed++ // a record began before the edge of a buffer and went on behind it
			}
			blocks++
			b := &next.batch
			pieces.Requests = append(pieces.Requests, b.Requests...)
			pieces.Events = append(pieces.Events, b.Events...)
			pieces.Routes = append(pieces.Routes, b.Routes...)
			pieces.UnparsedLines += b.UnparsedLines
			pieces.Lines += b.Lines
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for what, pair := range map[string][2]any{
			"requests": {pieces.Requests, whole.Requests}, "events": {pieces.Events, whole.Events}, "routes": {pieces.Routes, whole.Routes},
			"lines": {pieces.Lines, whole.Lines}, "lines that fit nothing": {pieces.UnparsedLines, whole.UnparsedLines},
		} {
			if got, want := reflect.ValueOf(pair[0]), reflect.ValueOf(pair[1]); !(got.Kind() == reflect.Slice && got.Len()+want.Len() == 0) && !reflect.DeepEqual(pair[0], pair[1]) {
				t.Errorf("%s in %d blocks of %d bytes: other %s than in one piece", name, blocks, size, what)
			}
		}
	}
	for _, in := range recorded(t) {
		for _, name := range in.files {
			text := []byte(strings.Join(fileLines(t, filepath.Join(in.dir, name)), "\n") + "\n")
			for _, size := range []int{1 << 10, 16 << 10} {
				try(in.name+"/"+name, text, size)
			}
		}
	}
	try("more routes than the dictionary holds", manyRoutes(20_000), 32<<10)
	if crossed < 1000 {
		t.Fatalf("vacuous: only %d records lay across the edge of a block", crossed)
	}
}

// manyRoutes is an access log in which nearly every request has a route of its own.
func manyRoutes(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		path := strings.NewReplacer("0", "a", "1", "b", "2", "c", "3", "d", "4", "e", "5", "f", "6", "g", "7", "h", "8", "i", "9", "j").Replace(fmt.Sprint(i * 7 % n))
		fmt.Fprintf(&b, "10.0.0.1 - - [22/Nov/2026:14:%02d:%02d +0000] \"GET /%s HTTP/1.1\" 200 12 \"-\" \"-\"\n", i/60%60, i%60, path)
	}
	return b.Bytes()
}
