package main

import (
	"errors"
	"io/fs"
)

// distress is what keeps a live analysis from going on and may pass: a full disk, a store that is locked. It is said once, and once that it is over,
// however often it is tried meanwhile and whatever is tried then.
type distress struct {
	what   string          // as it was last, "" when all is well
	said   map[string]bool // what was said of it since it began, by what is at the bottom of it
	failed int64           // tries in all that came to nothing
}

// of takes what a try came to, and returns what is to be said of it, "" when that is nothing new.
func (d *distress) of(err error) (news string) {
	if err == nil {
		if d.what != "" {
			news = "it goes on"
		}
		d.what, d.said = "", nil
		return news
	}
	d.failed++
	d.what = err.Error()
	why := bottom(err).Error()
	if d.said[why] {
		return ""
	}
	if d.said == nil {
		d.said = make(map[string]bool)
	}
	d.said[why] = true
	return d.what + "; it is tried again"
}

// bottom is what an error is about: one full disk is met wherever something is written. Of a file its name belongs to that.
func bottom(err error) error {
	for {
		if _, ok := err.(*fs.PathError); ok {
			return err
		}
		next := errors.Unwrap(err)
		if several, ok := err.(interface{ Unwrap() []error }); ok && len(several.Unwrap()) > 0 {
			next = several.Unwrap()[0]
		}
		if next == nil {
			return err
		}
		err = next
	}
}
