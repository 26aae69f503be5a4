package main

import (
	"log/slog"
	"time"
)

// complaint says once that something does not work, and once that it works again: what fails every second must not fill a log.
type complaint struct {
	log      *slog.Logger
	now      func() time.Time
	since    time.Time // zero while all is well
	failures int       // since then
}

func (c *complaint) failed(err error) {
	if c.failures++; c.failures == 1 {
		c.since = c.now()
		c.log.Warn("does not work", "error", err)
	}
}

func (c *complaint) works() {
	if c.failures > 0 {
		c.log.Info("works again", "failures", c.failures, "after", c.now().Sub(c.since).Round(time.Millisecond))
	}
	c.since, c.failures = time.Time{}, 0
}
