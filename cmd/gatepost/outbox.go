package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// outboxRoom is how many announcements may wait for one receiver. Each is some kilobytes.
	outboxRoom = 256
	// lastMoment is how long an outbox that closes may still work.
	lastMoment = 5 * time.Second
)

// receiver is a webhook or a command. deliver is called for one announcement at a time and returns when that has arrived, or cannot
// any more; it says itself what is wrong.
type receiver interface {
	kind() string // webhook, exec
	deliver(context.Context, *announcement) error
	end() // nothing more comes
}

// outbox hands announcements to a receiver in order, and never keeps waiting who puts one in. When it is full the oldest goes: a
// later one holds the whole incident as it is by then.
type outbox struct {
	to   receiver
	log  *slog.Logger
	pace pace
	room int

	mu      sync.Mutex
	waiting []*announcement
	counts  deliveries
	closing bool

	wake   chan struct{} // something was put in, or it closes
	cancel context.CancelFunc
	ended  chan struct{}
}

// deliveries count what became of announcements.
type deliveries struct{ delivered, failed, dropped, waiting int64 }

func newOutbox(to receiver, log *slog.Logger, p pace) *outbox {
	return &outbox{to: to, log: log, pace: p, room: outboxRoom, wake: make(chan struct{}, 1)}
}

// start begins to deliver. What was put in before is not lost.
func (o *outbox) start() {
	ctx, cancel := context.WithCancel(context.Background())
	o.cancel, o.ended = cancel, make(chan struct{})
	go o.run(ctx)
}

func (o *outbox) put(a *announcement) {
	o.mu.Lock()
	if o.closing {
		o.counts.dropped++
	} else {
		if len(o.waiting) == o.room {
			o.waiting = append(o.waiting[:0], o.waiting[1:]...)
			o.counts.dropped++
		}
		o.waiting = append(o.waiting, a)
	}
	o.mu.Unlock()
	o.nudge()
}

func (o *outbox) nudge() {
	select {
	case o.wake <- struct{}{}:
	default: // it will look anyway
	}
}

func (o *outbox) run(ctx context.Context) {
	defer close(o.ended)
	defer o.to.end()
	said := int64(0)
	for {
		a, dropped, open := o.next(ctx)
		if dropped > said {
			o.log.Warn("too many announcements, the oldest were dropped", "dropped", dropped-said)
			said = dropped
		}
		if !open {
			return
		}
		if a == nil {
			select {
			case <-o.wake:
			case <-ctx.Done():
			}
			continue
		}
		err := o.to.deliver(ctx, a)
		o.mu.Lock()
		if err == nil {
			o.counts.delivered++
		} else {
			o.counts.failed++
		}
		o.mu.Unlock()
	}
}

// next takes the oldest announcement out, nil when none waits. It is open as long as there may be one.
func (o *outbox) next(ctx context.Context) (a *announcement, dropped int64, open bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if ctx.Err() != nil {
		o.counts.dropped += int64(len(o.waiting))
		o.waiting = nil
		return nil, o.counts.dropped, false
	}
	if len(o.waiting) == 0 {
		return nil, o.counts.dropped, !o.closing
	}
	a = o.waiting[0]
	o.waiting = append(o.waiting[:0], o.waiting[1:]...)
	return a, o.counts.dropped, true
}

func (o *outbox) deliveries() deliveries {
	o.mu.Lock()
	defer o.mu.Unlock()
	d := o.counts
	d.waiting = int64(len(o.waiting))
	return d
}

// close lets it work for a moment more, and returns an error when not all has arrived that was heard. It may be called again.
func (o *outbox) close() error {
	o.mu.Lock()
	o.closing = true
	o.mu.Unlock()
	if o.ended != nil {
		o.nudge()
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		go func() {
			<-o.ended
			stop()
		}()
		o.pace.sleep(ctx, lastMoment)
		o.cancel()
		<-o.ended
	}
	if d := o.deliveries(); d.failed+d.dropped+d.waiting > 0 {
		return fmt.Errorf("%s: %d of %d announcements did not arrive", o.to.kind(), d.failed+d.dropped+d.waiting, d.delivered+d.failed+d.dropped+d.waiting)
	}
	return nil
}
