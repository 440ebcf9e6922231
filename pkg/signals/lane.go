package signals

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// The pauses between attempts at a signal that fails.
const (
	firstPause = 50 * time.Millisecond
	maxPause   = 2 * time.Second
)

// lane drives one signal: always with the newest level, again and again until it has been applied.
type lane struct {
	fanOut *FanOut
	signal Signal

	// Guarded by the fan-out's lock.
	applied  uint64                // serial of the newest level applied
	tried    uint64                // serial of the newest level tried, well or not
	failure  error                 // of the newest attempt; nil when it went well
	inFlight leadership.Leadership // the level being applied, while cancel is set
	cancel   context.CancelCauseFunc
}

// supersede ends an attempt in flight that tells another term than l. A renewal of the same term lets it finish,
// or a slow signal would never get through. The fan-out's lock is held.
func (n *lane) supersede(l leadership.Leadership) {
	if n.cancel != nil && !n.inFlight.SameTerm(l) {
		n.cancel(errSuperseded)
	}
}

// run applies levels until ctx ends.
func (n *lane) run(ctx context.Context) {
	pause := firstPause
	for ctx.Err() == nil {
		news, pending := n.pending()
		if !pending {
			sleep(ctx, news, nil)
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
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastChance)
		defer cancel()
		n.attempt(last)
	}
}

// rest waits until the pause after a failed attempt at a level is over. It reports false when it was cut short, by ctx
// or by a level of another term. A renewal does not cut it short: a signal that fails must not be asked more often
// because the term goes on.
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

// changed reports whether the newest level tells another term than l, and a channel that closes when a newer level comes.
func (n *lane) changed(l leadership.Leadership) (news <-chan struct{}, changed bool) {
	n.fanOut.mu.Lock()
	defer n.fanOut.mu.Unlock()
	return n.fanOut.news, !n.fanOut.newest.SameTerm(l)
}

// pending reports whether the newest level is still to be applied, and a channel that closes when a newer comes.
func (n *lane) pending() (news <-chan struct{}, pending bool) {
	n.fanOut.mu.Lock()
	defer n.fanOut.mu.Unlock()
	return n.fanOut.news, n.applied != n.fanOut.serial
}

// attempt tries the newest level once, and returns it. It reports true when there is no reason to pause: the signal took
// it, or a newer one has come.
func (n *lane) attempt(ctx context.Context) (tried leadership.Leadership, ok bool) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	l, serial := n.begin(cancel)
	err := n.apply(ctx, l)
	if err != nil && errors.Is(context.Cause(ctx), errSuperseded) {
		n.abandon()
		return l, true
	}
	n.observe(l, err)
	n.report(n.end(serial, err), err)
	return l, err == nil
}

// begin takes the newest level as the one in flight, so that whatever comes after can supersede it.
func (n *lane) begin(cancel context.CancelCauseFunc) (leadership.Leadership, uint64) {
	n.fanOut.mu.Lock()
	defer n.fanOut.mu.Unlock()
	n.inFlight, n.cancel = n.fanOut.newest, cancel
	return n.inFlight, n.fanOut.serial
}

// abandon ends a superseded attempt, which says nothing about the signal.
func (n *lane) abandon() {
	n.fanOut.mu.Lock()
	defer n.fanOut.mu.Unlock()
	n.cancel = nil
}

// end notes how an attempt ended and returns how the one before had.
func (n *lane) end(serial uint64, err error) (before error) {
	f := n.fanOut
	f.mu.Lock()
	defer f.mu.Unlock()
	n.cancel, n.tried, before = nil, serial, n.failure
	if n.failure = err; err == nil {
		n.applied = serial
	}
	close(f.progress)
	f.progress = make(chan struct{})
	return before
}

// apply calls the signal and turns a panic into an error: one broken signal must not end the sidecar while it leads.
func (n *lane) apply(ctx context.Context, l leadership.Leadership) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			n.fanOut.log.Debug("signal panicked", "signal", n.signal.Name(), "stack", string(debug.Stack()))
			err = fmt.Errorf("signal panicked: %v", fault)
		}
	}()
	return n.signal.Apply(ctx, l)
}

func (n *lane) observe(l leadership.Leadership, err error) {
	if n.fanOut.observer == nil {
		return
	}
	var latency time.Duration
	if !l.Observed.IsZero() {
		latency = max(n.fanOut.clock.Now().Sub(l.Observed), 0)
	}
	n.fanOut.observer.Applied(n.signal.Name(), latency, err)
}

// report logs only when the error changes or clears, or a signal that fails for an hour fills the log.
func (n *lane) report(before, now error) {
	switch {
	case now == nil && before != nil:
		n.fanOut.log.Info("signal works again", "signal", n.signal.Name())
	case now != nil && (before == nil || before.Error() != now.Error()):
		n.fanOut.log.Warn("signal failed, trying again", "signal", n.signal.Name(), "error", now)
	}
}
