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
	// firstPause and maxPause are the shortest and the longest pause between attempts at a signal that fails.
	firstPause = 50 * time.Millisecond
	maxPause   = 2 * time.Second
	// remoteDelay bounds how long a remote output lets the local ones go first: one that hangs holds up nobody.
	remoteDelay = 100 * time.Millisecond
	// lastAttempt bounds the attempt at a leadership that is not applied when the fan-out ends.
	lastAttempt = time.Second
)

// lane drives one signal: always with the newest leadership, again and again until that is applied.
type lane struct {
	Output
	fanOut  *FanOut
	trouble trouble.Last

	// Guarded by the fan-out's lock.
	applied  uint64                // serial of the newest leadership applied
	tried    uint64                // serial of the newest leadership tried, well or not
	failure  error                 // of the newest attempt; nil when it went well
	inFlight leadership.Leadership // the leadership being applied, while cancel is set
	cancel   context.CancelCauseFunc
}

// supersede ends an attempt in flight at another term than that of l. A renewal of the same term lets it finish, or a
// slow signal would never be applied. The fan-out's lock is held.
func (n *lane) supersede(l leadership.Leadership) {
	if n.cancel != nil && !n.inFlight.SameTerm(l) {
		n.cancel(errSuperseded)
	}
}

// run applies leaderships until ctx ends.
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

// rest waits until the pause after a failed attempt at a leadership is over. It reports false when it was cut short, by
// ctx or by a leadership of another term. A renewal does not cut it short: a signal that fails must not be tried more
// often because the term goes on.
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

// changed reports whether the newest leadership is of another term than l, and a channel that closes when a newer comes.
func (n *lane) changed(l leadership.Leadership) (news <-chan struct{}, changed bool) {
	n.fanOut.mu.Lock()
	defer n.fanOut.mu.Unlock()
	return n.fanOut.news, !n.fanOut.newest.SameTerm(l)
}

// pending reports whether the newest leadership is still to be applied, and a channel that closes when a newer comes.
func (n *lane) pending() (news <-chan struct{}, pending bool) {
	n.fanOut.mu.Lock()
	defer n.fanOut.mu.Unlock()
	return n.fanOut.news, n.applied != n.fanOut.serial
}

// attempt tries the newest leadership once, and returns it. It reports true when there is no reason to pause: the signal
// is applied, a newer leadership has come, or ctx has ended before the attempt began.
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

// begin takes the newest leadership as the one in flight, so that whatever comes after can supersede it. It reports false
// when ctx ends before a remote lane's turn has come.
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

// awaitLocal waits until every local lane has tried the newest leadership, or for remoteDelay. It reports false when ctx
// ends first. The fan-out's lock is held, and given up while it waits.
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

// abandon ends a superseded attempt, which says nothing about the signal.
func (n *lane) abandon() {
	n.fanOut.mu.Lock()
	defer n.fanOut.mu.Unlock()
	n.cancel = nil
}

// end notes how an attempt ended.
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

// panicError is that of a signal which panicked.
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

// report logs only when the error changes or clears, or a signal that fails for an hour would fill the log.
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
