package signals

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/trouble"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

const (
	// firstPause and maxPause bound the pause between attempts at a failing signal.
	firstPause = 50 * time.Millisecond
	maxPause   = 2 * time.Second
	// remoteDelay bounds how long a remote output waits for the local ones, in case one of them hangs.
	remoteDelay = 100 * time.Millisecond
	// lastAttempt bounds the attempt to apply the newest leadership after the fan-out's context has ended.
	lastAttempt = time.Second
)

// lane drives one signal with the newest leadership until it is applied.
type lane struct {
	Output
	fanOut  *FanOut
	trouble trouble.Last

	// Guarded by the fan-out's lock.
	applied  uint64                // serial of the newest leadership applied
	tried    uint64                // serial of the newest leadership tried, failed or not
	failure  error                 // of the latest attempt; nil if it succeeded
	inFlight leadership.Leadership // the leadership being applied, while cancel is set
	cancel   context.CancelCauseFunc
}

// supersede cancels an attempt in flight at another term than l's. A renewal lets the attempt finish; otherwise a slow
// signal would never be applied. The fan-out's lock is held.
func (n *lane) supersede(l leadership.Leadership) {
	if n.cancel != nil && !n.inFlight.SameTerm(l) {
		n.cancel(errSuperseded)
	}
}

func (n *lane) run(ctx context.Context) {
	pause := firstPause
	for ctx.Err() == nil {
		news, pending := n.pending()
		if !pending {
			select {
			case <-news:
			case <-ctx.Done():
			}
			continue
		}
		failed, ok := n.attempt(ctx)
		if !ok && n.rest(ctx, pause, failed) {
			pause = min(2*pause, maxPause)
			continue
		}
		pause = firstPause
	}
	if _, pending := n.pending(); pending {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastAttempt)
		defer cancel()
		n.attempt(last)
	}
}

// rest pauses after a failed attempt. It reports false if ctx or a leadership of another term cut the pause short. A renewal
// does not cut it short: a failing signal must not be tried more often because its term goes on.
func (n *lane) rest(ctx context.Context, pause time.Duration, failed leadership.Leadership) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		news, changed := n.changed(failed)
		if changed {
			return false
		}
		select {
		case <-news:
		case <-timer.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
}

// changed reports whether the newest leadership is of another term than l. The channel closes when a newer one comes.
func (n *lane) changed(l leadership.Leadership) (news <-chan struct{}, changed bool) {
	n.fanOut.mu.Lock()
	defer n.fanOut.mu.Unlock()
	return n.fanOut.news, !n.fanOut.newest.SameTerm(l)
}

// pending reports whether the newest leadership is not applied yet. The channel closes when a newer one comes.
func (n *lane) pending() (news <-chan struct{}, pending bool) {
	n.fanOut.mu.Lock()
	defer n.fanOut.mu.Unlock()
	return n.fanOut.news, n.applied != n.fanOut.serial
}

// attempt tries the newest leadership once, and returns it. It reports true if no pause must follow: the signal is applied,
// another term has come, or ctx has ended before the attempt began.
func (n *lane) attempt(ctx context.Context) (tried leadership.Leadership, ok bool) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	l, serial, begun := n.begin(ctx, cancel)
	if !begun {
		return l, true
	}
	err := n.apply(ctx, l)
	if err != nil && errors.Is(context.Cause(ctx), errSuperseded) {
		n.abandon()
		return l, true
	}
	n.observe(l, err)
	n.end(serial, err)
	n.report(err)
	return l, err == nil
}

// begin takes the newest leadership and marks it as in flight, so that a later one can supersede it. It reports false if ctx
// ends while a remote lane waits for its turn.
func (n *lane) begin(ctx context.Context, cancel context.CancelCauseFunc) (_ leadership.Leadership, serial uint64, begun bool) {
	f := n.fanOut
	f.mu.Lock()
	defer f.mu.Unlock()
	if n.Remote && !f.awaitLocal(ctx) {
		return f.newest, 0, false
	}
	n.inFlight, n.cancel = f.newest, cancel
	return n.inFlight, f.serial, true
}

// awaitLocal waits until every local lane has tried the newest leadership, or for remoteDelay. It reports false if ctx ends
// first. The fan-out's lock is held, but released while it waits.
func (f *FanOut) awaitLocal(ctx context.Context) bool {
	timer := time.NewTimer(remoteDelay)
	defer timer.Stop()
	for f.localBehind() {
		progress, over := f.progress, false
		f.mu.Unlock()
		select {
		case <-progress:
		case <-timer.C:
			over = true
		case <-ctx.Done():
		}
		f.mu.Lock()
		if over || ctx.Err() != nil {
			break
		}
	}
	return ctx.Err() == nil
}

// localBehind reports whether a local lane has not tried the newest leadership. The fan-out's lock is held.
func (f *FanOut) localBehind() bool {
	for _, n := range f.lanes {
		if !n.Remote && n.tried < f.serial {
			return true
		}
	}
	return false
}

// abandon ends a superseded attempt, whose result says nothing about the signal.
func (n *lane) abandon() {
	n.fanOut.mu.Lock()
	defer n.fanOut.mu.Unlock()
	n.cancel = nil
}

func (n *lane) end(serial uint64, err error) {
	f := n.fanOut
	f.mu.Lock()
	defer f.mu.Unlock()
	n.cancel, n.tried, n.failure = nil, serial, err
	if err == nil {
		n.applied = serial
	}
	close(f.progress)
	f.progress = make(chan struct{})
}

// panicError holds a signal's panic.
type panicError struct {
	fault any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("signal panicked: %v", e.fault) }

// apply calls the signal and turns a panic into an error: one broken signal must not end the sidecar while it leads.
func (n *lane) apply(ctx context.Context, l leadership.Leadership) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = &panicError{fault, debug.Stack()}
		}
	}()
	return n.Signal.Apply(ctx, l)
}

func (n *lane) observe(l leadership.Leadership, err error) {
	if n.fanOut.observer == nil {
		return
	}
	var latency time.Duration
	if !l.Observed.IsZero() {
		latency = max(n.fanOut.clock.Now().Sub(l.Observed), 0)
	}
	n.fanOut.observer.Applied(n.Signal.Name(), latency, err)
}

// report logs only when the error changes or clears: a signal that fails for an hour must not fill the log.
func (n *lane) report(err error) {
	log := n.fanOut.log.With("signal", n.Signal.Name())
	panicked, ok := errors.AsType[*panicError](err)
	switch {
	case !n.trouble.Changed(err):
	case err == nil:
		log.Info("signal works again", "reason", "SignalRecovered")
	case ok:
		log.Error("signal panicked, trying again", "reason", "SignalPanicked", "error", err, "stack", string(panicked.stack))
	default:
		log.Warn("signal failed, trying again", "reason", "SignalFailed", "error", err)
	}
}
