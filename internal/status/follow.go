package status

import (
	"context"
	"errors"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
)

// How a source is followed.
const (
	// silence is how long a watch may say nothing. The API server says something each minute.
	silence = 90 * time.Second
	// firstPause is how long to wait after a failure; each next one in a row waits twice as long, up to longestPause.
	firstPause   = time.Second
	longestPause = 30 * time.Second
	// mostFailures in a row end the command, after about 3 minutes.
	mostFailures = 10
)

// errSilent ends a watch that has said nothing for too long: its connection may be dead.
var errSilent = fmt.Errorf("the watch has said nothing for %s", silence)

// event is what a follower has seen of its source.
type event struct {
	source int
	at     Moment
	// list is the whole of the source, where listed; else change is one change, where there is one; else the source cannot be watched.
	list   []coordinationv1.Lease
	listed bool
	change *kube.Change
}

// follower lists and watches one source until its context ends.
type follower struct {
	number int
	source Source
	clock  bootclock.Clock
	events chan<- event
	warn   func(error)
}

// run follows the source. It goes on after failures, with a pause, and returns the last one where there were too many in a row, where a right
// is missing, which no retry brings, or where nothing has been read yet. The end of ctx is no error.
func (f follower) run(ctx context.Context) error {
	failures, listed := 0, false
	for {
		err := f.once(ctx, func() { listed = true }, func() { failures = 0 })
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, lease.ErrExpired) {
			err = nil // the list reads it anew
		}
		pause := firstPause
		if err != nil {
			if failures++; !listed || failures == mostFailures || errors.Is(err, lease.ErrForbidden) {
				return err
			}
			pause = min(firstPause<<(failures-1), longestPause)
			f.warn(fmt.Errorf("%w; next try in %s", err, pause))
			f.send(ctx, event{})
		}
		if err := bootclock.Sleep(ctx, f.clock, pause); err != nil {
			return nil
		}
	}
}

// once lists the source, and watches it until the watch breaks. It calls listed after the list, and alive whenever the watch is heard.
func (f follower) once(ctx context.Context, listed, alive func()) error {
	list, from, err := read(ctx, f.source)
	if err != nil {
		return err
	}
	listed()
	f.send(ctx, event{list: list, listed: true})
	for {
		heard := false
		err := f.watch(ctx, from, func(c kube.Change) {
			heard = true
			alive()
			from = c.Version
			if c.Lease != nil {
				f.send(ctx, event{change: &c})
			}
		})
		if err != nil || !heard {
			return err
		}
	}
}

// watch watches the source once, and ends a watch that is silent.
func (f follower) watch(ctx context.Context, from lease.Version, deliver func(kube.Change)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(silence, func() { cancel(errSilent) })
	defer timer.Stop()
	err := f.source.Watch(ctx, from, func(c kube.Change) {
		timer.Reset(silence)
		deliver(c)
	})
	if errors.Is(context.Cause(ctx), errSilent) {
		return errSilent
	}
	return err
}

func (f follower) send(ctx context.Context, e event) {
	e.source, e.at = f.number, Read(f.clock)
	select {
	case f.events <- e:
	case <-ctx.Done():
	}
}

// apply changes the pictures by an event.
func (e event) apply(pictures []Picture) {
	p := &pictures[e.source]
	switch {
	case e.listed:
		p.Replace(e.list, e.at)
	case e.change != nil:
		p.Apply(*e.change, e.at)
	default:
		p.Break()
	}
}
