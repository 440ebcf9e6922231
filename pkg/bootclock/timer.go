package bootclock

import (
	"context"
	"time"
)

// Timer wakes its owner at an instant of a boot clock. It may also fire once too early: look at the clock, and Reset it where
// the time has not come. One goroutine at a time may use it.
type Timer interface {
	// C receives a value when the instant has come. It has room for one and is never closed.
	C() <-chan struct{}
	// Reset moves the timer to an instant; one that has passed fires at once, and the zero Instant never does.
	Reset(at Instant)
	// Stop frees the timer and joins what it had started. It does not fire any more.
	Stop()
}

// polledMost bounds one sleep of a polled timer: Go's timers stop while the machine is suspended.
const polledMost = 200 * time.Millisecond

// polled is a timer for clocks that no kernel timer follows: it looks at the clock again and again.
type polled struct {
	now   func() Instant
	most  time.Duration
	fired chan struct{}
	end   context.CancelFunc
	ended chan struct{}
}

// NewPolledTimer returns a timer that reads its clock with now, at least every most (zero: 200 ms).
func NewPolledTimer(now func() Instant, most time.Duration) Timer {
	if most == 0 {
		most = polledMost
	}
	return &polled{now: now, most: most, fired: make(chan struct{}, 1)}
}

func (t *polled) C() <-chan struct{} { return t.fired }

func (t *polled) Reset(at Instant) {
	t.Stop()
	select {
	case <-t.fired:
	default:
	}
	if at.IsZero() {
		return
	}
	if !t.now().Before(at) {
		t.fired <- struct{}{}
		return
	}
	ctx, end := context.WithCancel(context.Background())
	t.end, t.ended = end, make(chan struct{})
	go t.wait(ctx, at, t.ended)
}

func (t *polled) wait(ctx context.Context, at Instant, ended chan<- struct{}) {
	defer close(ended)
	for {
		left := at.Sub(t.now())
		if left <= 0 {
			t.fired <- struct{}{}
			return
		}
		timer := time.NewTimer(min(left, t.most))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

func (t *polled) Stop() {
	if t.end != nil {
		t.end()
		<-t.ended
		t.end, t.ended = nil, nil
	}
}

// Await waits until timer fires at the instant at (zero: never), a channel has a value or is closed (nil: never), or ctx ends.
// It returns ctx's cause when ctx has ended, and else nil: the timer may fire early, so look at the clock and at what the
// channels stand for.
func Await(ctx context.Context, timer Timer, at Instant, news, more <-chan struct{}) error {
	timer.Reset(at)
	select {
	case <-timer.C():
	case <-news:
	case <-more:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// Sleep returns nil after d, or ctx's cause when ctx ends first.
func Sleep(ctx context.Context, clock Clock, d time.Duration) error {
	timer, at := clock.NewTimer(), clock.Now().Add(d)
	defer timer.Stop()
	for clock.Now().Before(at) {
		if err := Await(ctx, timer, at, nil, nil); err != nil {
			return err
		}
	}
	return nil
}
