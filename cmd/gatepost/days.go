package main

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"gatepost"
)

// readDays counts the days and stretches that the night is held against, as far as the store holds them, and by cause as far as they were judged.
func (k *nightMaker) readDays(ctx context.Context) (err error) {
	zone := k.model.Zone
	end := k.To.Std().In(zone)
	before := func(days int) (*gatepost.Stretch, error) {
		return k.stretch(ctx, gatepost.TimeOf(k.From.Std().In(zone).AddDate(0, 0, -days)), gatepost.TimeOf(end.AddDate(0, 0, -days)))
	}
	// Hours beyond a day, as the morning on which "since yesterday" is asked has, do not make it two.
	covers := max(int((k.To.Sub(k.From)+12*time.Hour)/(24*time.Hour)), 1)
	if k.Before, err = before(covers); err != nil {
		return err
	}
	if covers < 7 {
		if k.WeekBefore, err = before(7); err != nil {
			return err
		}
	}
	var causes []map[string]int
	for back := nightDays - 1; back >= 0; back-- {
		y, m, d := end.Date()
		from := time.Date(y, m, d-back, 0, 0, 0, 0, zone)
		day, err := k.stretch(ctx, gatepost.TimeOf(from), gatepost.TimeOf(from.AddDate(0, 0, 1))-1)
		if err != nil {
			return err
		}
		if day == nil {
			continue
		}
		found, err := k.store.Causes(ctx, gatepost.Query{From: day.From, To: day.To})
		if err != nil {
			return err
		}
		k.Days, causes = append(k.Days, gatepost.Day{Stretch: *day}), append(causes, found)
		for _, name := range slices.SortedFunc(maps.Keys(found), strings.Compare) {
			if !slices.Contains(k.Causes, name) {
				k.Causes = append(k.Causes, name)
			}
		}
	}
	if len(k.Days) < 2 {
		k.Days = nil
	}
	for i := range k.Days {
		if len(causes[i]) == 0 {
			continue
		}
		k.Days[i].Causes = make([]int, len(k.Causes))
		for c, name := range k.Causes {
			k.Days[i].Causes[c] = causes[i][name]
		}
	}
	return nil
}

// stretch counts the access lines of a time, nil for one of which the store holds none.
func (k *nightMaker) stretch(ctx context.Context, from, to gatepost.Time) (*gatepost.Stretch, error) {
	s := &gatepost.Stretch{From: from, To: to}
	var err error
	if s.Requests, s.Failures, err = k.store.Count(ctx, gatepost.Query{From: from, To: to}, k.model.Watched); err != nil || s.Requests == 0 {
		return nil, err
	}
	return s, nil
}
