package signals

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// lastChance bounds the attempt at a level that is still untold when the fan-out is asked to end.
const lastChance = time.Second

// errSuperseded ends an attempt because a level of another term has come.
var errSuperseded = errors.New("superseded by a newer level")

// FanOut carries the newest level to every signal, each in its own lane.
type FanOut struct {
	log      *slog.Logger
	clock    bootclock.Clock
	observer Observer
	lanes    []*lane

	mu       sync.Mutex
	newest   leadership.Leadership
	serial   uint64        // of newest; 0 before the first
	news     chan struct{} // closed, and replaced, when newest changes
	progress chan struct{} // closed, and replaced, when a lane has applied a level or failed to
}

// NewFanOut makes a fan-out over the given signals. A nil observer is allowed.
func NewFanOut(log *slog.Logger, clock bootclock.Clock, observer Observer, signals ...Signal) *FanOut {
	f := &FanOut{
		log: log, clock: clock, observer: observer,
		news: make(chan struct{}), progress: make(chan struct{}),
	}
	for _, s := range signals {
		f.lanes = append(f.lanes, &lane{fanOut: f, signal: s})
	}
	return f
}

// Publish makes l the level to tell, in place of whatever has not been told yet. It never blocks, and it may be
// called before Run.
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

// Run drives the signals until ctx ends. Then each lane that has not told the newest level gets one more attempt,
// as a loss must not go untold. Its goroutines have ended when it returns nil.
func (f *FanOut) Run(ctx context.Context) error {
	var running sync.WaitGroup
	for _, n := range f.lanes {
		running.Go(func() { n.run(ctx) })
	}
	f.expire(ctx)
	running.Wait()
	return nil
}

// Settle returns nil once every signal has applied a level at least as new as the newest at the call, which it has
// at once when nothing was ever published. It fails when ctx ends first, and names every signal that is behind.
func (f *FanOut) Settle(ctx context.Context) error {
	f.mu.Lock()
	want := f.serial
	f.mu.Unlock()
	for {
		behind, progress := f.behind(want)
		if behind == nil {
			return nil
		}
		select {
		case <-progress:
		case <-ctx.Done():
			return multierror.Append(behind, context.Cause(ctx)).ErrorOrNil()
		}
	}
}

// behind returns an error for every lane that has not applied the level with that serial number, or a newer one,
// and a channel that closes when that may have changed.
func (f *FanOut) behind(serial uint64) (*multierror.Error, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var late *multierror.Error
	for _, n := range f.lanes {
		switch {
		case n.applied >= serial:
		case n.failure != nil:
			late = multierror.Append(late, fmt.Errorf("settle signal %s: %w", n.signal.Name(), n.failure))
		default:
			late = multierror.Append(late, fmt.Errorf("settle signal %s: it has not answered yet", n.signal.Name()))
		}
	}
	return late, f.progress
}

// expire replaces the newest level when its validUntil passes and nothing newer has come: the end of a term needs
// only a clock, even when the election's loop is stuck.
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
		timer.Reset(until) // with no deadline it never fires
		if !sleep(ctx, news, timer.C()) {
			return
		}
	}
}

// lapse publishes what is left of the newest level once its validity is over, unless a newer one has come.
func (f *FanOut) lapse(serial uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.serial != serial {
		return
	}
	over := f.newest.At(f.clock.Now())
	over.Observed = f.newest.ValidUntil // the fact is the deadline
	f.publish(over)
}

// sleep waits for news or for the timer. It reports false when ctx ends.
func sleep(ctx context.Context, news, timer <-chan struct{}) bool {
	select {
	case <-news:
		return true
	case <-timer:
		return true
	case <-ctx.Done():
		return false
	}
}
