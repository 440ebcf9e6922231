package signals

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// errSuperseded ends an attempt when a leadership of another term has come.
var errSuperseded = errors.New("superseded by a newer leadership")

// FanOut applies the newest leadership to every output, each in its own lane. It is safe for concurrent use.
type FanOut struct {
	log      *slog.Logger
	clock    bootclock.Clock
	observer Observer
	lanes    []*lane

	mu       sync.Mutex
	newest   leadership.Leadership
	serial   uint64        // of newest; 0: none yet
	news     chan struct{} // closed, and replaced, when newest changes
	progress chan struct{} // closed, and replaced, when a lane has tried a leadership
}

// NewFanOut makes a fan-out over the outputs. The observer may be nil.
func NewFanOut(log *slog.Logger, clock bootclock.Clock, observer Observer, outputs ...Output) *FanOut {
	f := &FanOut{
		log: log, clock: clock, observer: observer,
		news: make(chan struct{}), progress: make(chan struct{}),
	}
	for _, o := range outputs {
		f.lanes = append(f.lanes, &lane{Output: o, fanOut: f})
	}
	return f
}

// Publish makes l the leadership to apply, in place of any older one. It never blocks. It may be called before Run.
func (f *FanOut) Publish(l leadership.Leadership) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.publish(l)
}

func (f *FanOut) publish(l leadership.Leadership) {
	f.newest = l
	f.serial++
	for _, n := range f.lanes {
		n.supersede(l)
	}
	close(f.news)
	f.news = make(chan struct{})
}

// Run drives the signals until ctx ends. Then each lane that is behind gets one more attempt of at most 1 s, so that a loss
// which came with the end is applied. No goroutine is left when it returns.
func (f *FanOut) Run(ctx context.Context) {
	var running sync.WaitGroup
	for _, n := range f.lanes {
		running.Go(func() { n.run(ctx) })
	}
	f.expire(ctx)
	running.Wait()
}

// expire ends the newest leadership when its validUntil passes, which needs only a clock: the election's loop may be stuck.
func (f *FanOut) expire(ctx context.Context) {
	timer := f.clock.NewTimer()
	defer timer.Stop()
	for {
		f.mu.Lock()
		until, serial, news := f.newest.ValidUntil, f.serial, f.news
		f.mu.Unlock()
		if !until.IsZero() && !f.clock.Now().Before(until) {
			f.lapse(serial)
			continue
		}
		if bootclock.Await(ctx, timer, until, news, nil) != nil {
			return
		}
	}
}

// lapse publishes the end of the newest leadership, unless a newer one has come.
func (f *FanOut) lapse(serial uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.serial != serial {
		return
	}
	over := f.newest.At(f.clock.Now())
	over.Observed = f.newest.ValidUntil // the change was known at the deadline
	f.publish(over)
}
