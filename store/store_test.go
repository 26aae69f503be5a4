package store_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gatepost"
	"gatepost/store"
)

func open(t testing.TB, path string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// check fails the test on an error.
func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// query returns all rows of a statement, each as its values joined with '|'.
func query(t testing.TB, s *store.Store, statement string) []string {
	t.Helper()
	rows, err := s.Query(t.Context(), statement)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	var all []string
	for row, err := range rows.Rows {
		if err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
		words := make([]string, len(row))
		for i, v := range row {
			words[i] = fmt.Sprint(v)
		}
		all = append(all, strings.Join(words, "|"))
	}
	return all
}

// filled sets every field of a struct, and of the structs and lists in it, to a value of its own.
func filled[T any](seed int) T {
	var v T
	fillValue(reflect.ValueOf(&v).Elem(), &seed)
	return v
}

func fillValue(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fillValue(v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fillValue(v.Index(0), n)
		fillValue(v.Index(1), n)
	case reflect.Map:
		v.Set(reflect.ValueOf(map[int]int{502: *n, 499: 2 * *n}))
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d \x1b[31m <b> \"' é", *n))
	case reflect.Float64:
		v.SetFloat(1 / float64(*n))
	case reflect.Uint64:
		v.SetUint(math.MaxUint64 - uint64(*n)) // hashes use the highest bit
	case reflect.Uint8:
		v.SetUint(uint64(*n % 3))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillValue(v.Elem(), n)
	case reflect.Bool:
		v.SetBool(true)
	default:
		v.SetInt(int64(*n))
	}
}

func TestSourceRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatepost.db")
	s := open(t, path)
	want := filled[gatepost.Source](0)
	want.ID = 0
	check(t, s.AddSource(t.Context(), &want))
	other := gatepost.Source{Path: "other.log"}
	check(t, s.AddSource(t.Context(), &other))
	other.Problem, other.Clock = "truncated", gatepost.Clock{Shift: -time.Hour, Zone: "UTC+01:00"}
	check(t, s.SaveSource(t.Context(), &other))
	check(t, s.Close())

	s = open(t, path)
	sources, err := s.Sources(t.Context())
	check(t, err)
	equal(t, "sources", sources, []gatepost.Source{want, other})

	moved := gatepost.Source{Path: "access.log.1", Head: want.Head, HeadSize: want.HeadSize, Bytes: 99}
	check(t, s.AddSource(t.Context(), &moved))
	want.Path, want.Bytes = "access.log.1", 99
	equal(t, "the same head", moved, want)

	for name, src := range map[string]gatepost.Source{
		"another head":      {Head: want.Head + 1, HeadSize: want.HeadSize},
		"another head size": {Head: want.Head, HeadSize: want.HeadSize - 1},
		"no head":           {},
		"no head again":     {},
	} {
		check(t, s.AddSource(t.Context(), &src))
		if src.ID <= other.ID || src.First.Known() || src.Last.Known() {
			t.Errorf("%s: not a fresh source: %+v", name, src)
		}
	}
}

// always is asked for where no bounds are given.
var always = gatepost.Scope{Since: gatepost.NoTime, Until: gatepost.NoTime}

// begin begins the verdicts of a time, and returns the greatest number of an incident of others.
func begin(t *testing.T, s *store.Store, scope gatepost.Scope) int {
	t.Helper()
	last, err := s.BeginVerdicts(t.Context(), scope)
	check(t, err)
	return last
}

func saveVerdicts(t *testing.T, s *store.Store, failures []gatepost.Failure, incidents, outages []gatepost.Incident) {
	t.Helper()
	begin(t, s, always)
	check(t, s.AddFailures(t.Context(), failures))
	check(t, s.EndVerdicts(t.Context(), incidents, outages, always))
}

func TestVerdictsRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gate post?_pragma=x#%41.db")
	check(t, os.WriteFile(path, nil, 0o600)) // an empty file becomes a store
	s := open(t, path)
	failures := []gatepost.Failure{filled[gatepost.Failure](0), {ID: "f-0", Time: gatepost.NoTime, Start: gatepost.NoTime, Duration: gatepost.Unknown}}
	incidents := []gatepost.Incident{filled[gatepost.Incident](100), {ID: "i-2"}}
	outages := []gatepost.Incident{filled[gatepost.Incident](200)}
	setup := gatepost.Setup{filled[gatepost.Setting](300), {Program: "odoo", Name: "workers", Value: "4"}}
	for range 2 { // the second time replaces
		saveVerdicts(t, s, failures, incidents, outages)
		check(t, s.SaveSetup(t.Context(), setup))
	}
	check(t, s.Close())

	s = open(t, path)
	var gotFailures []gatepost.Failure
	for f, err := range s.Ledger(t.Context(), gatepost.Query{}).Failures() {
		check(t, err)
		gotFailures = append(gotFailures, f)
	}
	slices.Reverse(gotFailures) // what has no time comes first
	equal(t, "failures", gotFailures, failures)
	gotIncidents, gotOutages, err := s.Incidents(t.Context(), gatepost.Query{})
	check(t, err)
	equal(t, "incidents", gotIncidents, incidents)
	equal(t, "outages", gotOutages, outages)
	gotSetup, err := s.Setup(t.Context())
	check(t, err)
	equal(t, "setup", gotSetup, setup)
}

// TestUnfinishedVerdicts: until the last verdict is there, no report and no view shows any.
func TestUnfinishedVerdicts(t *testing.T) {
	s := open(t, "")
	f := gatepost.Failure{ID: "f-1", Time: gatepost.Time(1e18), Start: gatepost.NoTime, Duration: gatepost.Unknown}
	shown := func() (ledger, view int) {
		for _, err := range s.Ledger(t.Context(), gatepost.Query{}).Failures() {
			if errors.Is(err, store.ErrUnfinished) {
				ledger = -1
				break
			}
			check(t, err)
			ledger++
		}
		rows, err := s.Query(t.Context(), "SELECT id FROM failures")
		check(t, err)
		return ledger, len(gather(t, rows.Rows))
	}
	expect := func(when string, ledger, view int) {
		t.Helper()
		if l, v := shown(); l != ledger || v != view {
			t.Errorf("%s: %d in the ledger, %d in the view", when, l, v)
		}
	}
	expect("a new store", -1, 0)
	saveVerdicts(t, s, []gatepost.Failure{f}, nil, nil)
	expect("judged", 1, 1)
	if one, err := s.Ledger(t.Context(), gatepost.Query{}).Failure("f-1"); err != nil || one == nil || one.ID != f.ID {
		t.Errorf("the failure by its ID: %v, %v", one, err)
	}
	if none, err := s.Ledger(t.Context(), gatepost.Query{}).Failure("f-2"); err != nil || none != nil {
		t.Errorf("a failure that is not there: %v, %v", none, err)
	}
	begin(t, s, always)
	check(t, s.AddFailures(t.Context(), []gatepost.Failure{f, f}))
	expect("half way", -1, 0)
}

func TestEventRoundTrip(t *testing.T) {
	s := open(t, "")
	src := gatepost.Source{Path: "odoo.log"}
	check(t, s.AddSource(t.Context(), &src))
	full := filled[gatepost.Event](0)
	plain := gatepost.NewEvent(gatepost.OdooStop, gatepost.Ref{Offset: 500, Line: 9}, gatepost.Time(1e18))
	hostile := gatepost.NewEvent(gatepost.OdooError, gatepost.Ref{Offset: 900, Line: 10}, gatepost.Time(2e18))
	hostile.Text = "a\x00b\xff\xfe'; DROP TABLE _events; --"
	b := gatepost.Batch{Events: []gatepost.Event{full, plain, hostile}, First: gatepost.NoTime, Last: gatepost.NoTime}
	check(t, s.Append(t.Context(), &src, &b))
	var got []gatepost.Event
	for e, err := range s.Events(t.Context(), gatepost.Query{}) {
		check(t, err)
		got = append(got, e)
	}
	for i := range b.Events {
		b.Events[i].Ref.Source = src.ID
	}
	equal(t, "events", got, b.Events)
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		check(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	store5 := filepath.Join(dir, "newer.db")
	check(t, open(t, store5).Close())
	data, err := os.ReadFile(store5)
	check(t, err)
	// The header of an SQLite file: user_version at 60, application_id at 68, page 2 from 4096.
	newer := string(data[:60]) + "\x00\x00\x00\x63" + string(data[64:])
	foreign := string(data[:68]) + "\x00\x00\x00\x01" + string(data[72:])
	damaged := string(data[:100]) + strings.Repeat("\xa5", len(data)-100)
	for name, c := range map[string]struct{ path, want string }{
		"text":      {file("access.log", "127.0.0.1 - - [22/Nov/2026]"), "not a gatepost store: name another file"},
		"short":     {file("short", "x"), "not a gatepost store"},
		"foreign":   {file("foreign.db", foreign), "not a gatepost store"},
		"newer":     {file("night.db", newer), "made by a newer gatepost (schema 99, this one knows 9): use that version or another --db"},
		"damaged":   {file("damaged.db", damaged), "damaged: restore a copy"},
		"directory": {dir, "is a directory"},
		"nowhere":   {filepath.Join(dir, "no", "such.db"), "no such file or directory"},
	} {
		before, _ := os.ReadFile(c.path)
		_, err := store.Open(t.Context(), c.path)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "store "+c.path+": ") {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
		if after, _ := os.ReadFile(c.path); string(after) != string(before) {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

// A damaged chunk is an error of the reading, not a panic and not silence. What lies before it in
// time can still be read, because no other chunk is decoded for it.
func TestDamagedChunk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gatepost.db")
	s := open(t, path)
	h := newHistory(7, 1)
	h.appendAll(t, s, 40_000, 1000)
	check(t, s.Close())
	data, err := os.ReadFile(path)
	check(t, err)
	heads := regexp.MustCompile(`(?s)\x02....\x00\x20\x00\x00`).FindAllIndex(data, -1) // version, checksum, 8192 requests
	data[heads[len(heads)-1][1]+500] ^= 0x55
	check(t, os.WriteFile(path, data, 0o600))

	s = open(t, path)
	for _, err = range s.Requests(t.Context(), gatepost.Query{}) {
		if err != nil {
			break
		}
	}
	if err == nil || !strings.Contains(err.Error(), "chunk is damaged") {
		t.Errorf("Requests: %v", err)
	}
	rows, err := s.Query(t.Context(), "SELECT count(*) FROM requests")
	if err == nil {
		for _, err = range rows.Rows {
			if err != nil {
				break
			}
		}
	}
	if err == nil || !strings.Contains(err.Error(), "chunk is damaged") {
		t.Errorf("Query: %v", err)
	}
	early := gatepost.Query{From: 1, To: start.Add(2 * time.Hour)}
	n := len(gather(t, s.Requests(t.Context(), early)))
	equal(t, "early requests", query(t, s, "SELECT count(*) FROM requests WHERE time <= '"+early.To.Std().Format("2006-01-02T15:04:05.000Z")+"'"),
		[]string{fmt.Sprint(n)})
	if n == 0 {
		t.Error("nothing lies before the damage")
	}
}

func TestPrivateStore(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	s := open(t, "")
	newHistory(1, 1).appendAll(t, s, 100, 50)
	if left := files(t, dir); len(left) == 0 {
		t.Fatal("the store is not in the temporary directory")
	}
	check(t, s.Close())
	if left := files(t, dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := s.Flush(t.Context()); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("after Close: %v", err)
	}
}

func TestCanceled(t *testing.T) {
	s := open(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	src := gatepost.Source{}
	if err := s.AddSource(ctx, &src); err == nil {
		t.Error("AddSource ignores its context")
	}
	for _, err := range s.Events(ctx, gatepost.Query{}) {
		if err == nil {
			t.Error("Events ignores its context")
		}
	}
}

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	check(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if !d.IsDir() {
			names = append(names, path)
		}
		return err
	}))
	return names
}
