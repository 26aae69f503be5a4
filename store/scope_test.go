package store_test

import (
	"path/filepath"
	"reflect"
	"testing"

	"gatepost"
)

// What an analysis was asked for stays with its verdicts; a new store was asked for nothing.
func TestScope(t *testing.T) {
	path := filepath.Join(t.TempDir(), "night.db")
	s := open(t, path)
	nothing := gatepost.Scope{Since: gatepost.NoTime, Until: gatepost.NoTime}
	if got, err := s.Scope(t.Context()); err != nil || !reflect.DeepEqual(got, nothing) {
		t.Errorf("a new store: %+v, %v", got, err)
	}
	for _, want := range []gatepost.Scope{{Since: 5, Until: gatepost.NoTime, Watched: []int{502, 504}}, {Since: gatepost.NoTime, Until: 7, Watched: []int{499}}} {
		begin(t, s, want)
		check(t, s.Close())
		s = open(t, path)
		if got, err := s.Scope(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
}
