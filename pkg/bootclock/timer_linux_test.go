package bootclock

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestTimers(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, tc := range []struct {
		name string
		make func() Timer
	}{
		{"the kernel's", System{}.NewTimer},
		{"polled", func() Timer { return NewPolledTimer(System{}.Now, 0) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			timer := tc.make()
			defer timer.Stop()
			fires := func(what string, at Instant) {
				t.Helper()
				timer.Reset(at)
				select {
				case <-timer.C():
				case <-time.After(10 * time.Second):
					t.Fatalf("%s: the timer did not fire", what)
				}
				if now := (System{}).Now(); now.Before(at) {
					t.Errorf("%s: it fired %s early", what, at.Sub(now))
				}
			}
			rests := func(what string) {
				t.Helper()
				select {
				case <-timer.C():
					t.Errorf("%s: the timer fired", what)
				case <-time.After(50 * time.Millisecond):
				}
			}
			rests("never set")
			fires("soon", System{}.Now().Add(20*time.Millisecond))
			rests("after it fired")
			fires("long ago", 1)
			for range 100 { // until both calls come before the instant
				at := System{}.Now().Add(10 * time.Millisecond)
				timer.Reset(at)
				timer.Reset(0)
				if (System{}).Now().Before(at) {
					break
				}
			}
			rests("set, and unset")
			timer.Reset(System{}.Now().Add(10 * time.Millisecond))
			for deadline := time.Now().Add(10 * time.Second); len(timer.C()) == 0 && time.Now().Before(deadline); {
				time.Sleep(time.Millisecond)
			}
			timer.Reset(System{}.Now().Add(time.Hour))
			rests("fired unseen, and set anew")
		})
	}
}

// A timer that the kernel refuses to set fires soon, so that its owner looks at the clock rather than sleeping for ever.
func TestTimerThatCannotBeSet(t *testing.T) {
	defer goleak.VerifyNone(t)
	timer := System{}.NewTimer()
	defer timer.Stop()
	if err := timer.(*kernelTimer).file.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Await(t.Context(), timer, System{}.Now().Add(time.Hour), nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	timer.Reset(0)
	select {
	case <-timer.C():
		t.Error("it fired though it was unset")
	case <-time.After(20 * time.Millisecond):
	}
}

func TestAwait(t *testing.T) {
	defer goleak.VerifyNone(t)
	why := errors.New("enough")
	over, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	closed, value := make(chan struct{}), make(chan struct{}, 1)
	close(closed)
	value <- struct{}{}
	for _, tc := range []struct {
		name       string
		ctx        context.Context
		at         Instant
		news, more <-chan struct{}
		want       error
	}{
		{"the instant", t.Context(), System{}.Now().Add(10 * time.Millisecond), nil, nil, nil},
		{"an instant that has passed", t.Context(), 1, nil, nil, nil},
		{"a channel that closes", t.Context(), 0, closed, nil, nil},
		{"a value of the other one", t.Context(), 0, make(chan struct{}), value, nil},
		{"the context", over, 0, nil, make(chan struct{}), why},
	} {
		t.Run(tc.name, func(t *testing.T) {
			timer := System{}.NewTimer()
			defer timer.Stop()
			if got := Await(tc.ctx, timer, tc.at, tc.news, tc.more); !errors.Is(got, tc.want) {
				t.Errorf("got %v; want %v", got, tc.want)
			}
		})
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	defer goleak.VerifyNone(t)
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(10*time.Millisecond, func() { cancel(why) })
	if err := Sleep(ctx, System{}, time.Hour); !errors.Is(err, why) {
		t.Errorf("got %v; want the context's cause", err)
	}
	if err := Sleep(t.Context(), System{}, 10*time.Millisecond); err != nil {
		t.Errorf("got %v; want nil", err)
	}
}
