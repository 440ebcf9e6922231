package control

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// TestWhatCountsAsStopped: the waits of one drain whose last published validUntil lies 10 s ahead.
func TestWhatCountsAsStopped(t *testing.T) {
	const never = 0
	for _, c := range []struct {
		name        string
		native      bool
		timeout     time.Duration
		terminating bool
		signals     time.Duration // when they all say "not leading"; never: only when told to end
		reported    time.Duration // when the workload reports; never: it does not
		ended       time.Duration // when the drain is called off; never: it is not
		want        time.Duration
		because     string
	}{
		{name: "nothing is seen", signals: 1, want: 10 * time.Second, because: "validUntil"},
		{name: "the workload reports", signals: 1, reported: 1050 * time.Millisecond, want: 1050 * time.Millisecond, because: "reported"},
		{name: "it reports before the signals have settled", signals: 2 * time.Second, reported: time.Second, want: 2 * time.Second, because: "reported"},
		{name: "the signals never settle", reported: time.Second, native: true, terminating: true, timeout: time.Second, want: 10 * time.Second, because: "validUntil"},
		{name: "the drain timeout", timeout: 3 * time.Second, signals: 1, want: 3 * time.Second, because: "drain timeout"},
		{name: "the drain timeout, before the signals have settled", timeout: 3 * time.Second, signals: 4 * time.Second, want: 4 * time.Second, because: "drain timeout"},
		{name: "a report before the drain timeout", timeout: 3 * time.Second, signals: 1, reported: 1050 * time.Millisecond, want: 1050 * time.Millisecond, because: "reported"},
		{name: "a drain timeout past validUntil", timeout: time.Minute, signals: 1, want: 10 * time.Second, because: "validUntil"},
		{name: "SIGTERM, native", native: true, terminating: true, signals: 1050 * time.Millisecond, want: 1050 * time.Millisecond, because: "native"},
		{name: "SIGTERM, classic", terminating: true, signals: 1, want: 10 * time.Second, because: "validUntil"},
		{name: "step-down, native", native: true, signals: 1, want: 10 * time.Second, because: "validUntil"},
		{name: "called off", signals: 1, ended: 2 * time.Second, want: 2 * time.Second},
		{name: "called off before the signals have settled", ended: 2 * time.Second, want: 2 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				s := NewSettler(SettlerConfig{
					Clock: bubbleClock{}, Native: c.native, DrainTimeout: c.timeout, Log: slog.New(slog.NewTextHandler(&log, nil)),
					Signals: func(ctx context.Context) error {
						if c.signals == never {
							<-ctx.Done()
							return ctx.Err()
						}
						select {
						case <-time.After(c.signals):
							return nil
						case <-ctx.Done():
							return ctx.Err()
						}
					},
				})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if c.ended != never {
					time.AfterFunc(c.ended, cancel)
				}
				l := drains(bubbleClock{})
				if c.reported != never {
					time.AfterFunc(c.reported, func() {
						if err := s.Drained(l); err != nil {
							t.Errorf("Drained: %v", err)
						}
					})
				}
				start := time.Now()
				s.Wait(ctx, elector.Drain{Cause: "test", Terminating: c.terminating, Until: l.ValidUntil})
				if got := time.Since(start).Truncate(time.Millisecond); got != c.want {
					t.Errorf("waited %s, want %s", got, c.want)
				}
				if got := log.String(); (c.because == "") != (got == "") || !strings.Contains(got, c.because) {
					t.Errorf("logged %q, want %q", got, c.because)
				}
			})
		})
	}
}

func settled(context.Context) error { return nil }

// TestReportBelongsToItsDrain: the report may come before the wait, survives a wait that is asked for anew, and counts
// for no later term.
func TestReportBelongsToItsDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSettler(SettlerConfig{Clock: bubbleClock{}, Signals: settled, Log: quiet})
		wait := func(d elector.Drain) time.Duration {
			start := time.Now()
			s.Wait(t.Context(), d)
			return time.Since(start)
		}
		first := drains(bubbleClock{})
		if err := s.Drained(first); err != nil {
			t.Fatal(err)
		}
		d := elector.Drain{Cause: "test", Until: first.ValidUntil}
		for range 2 {
			if got := wait(d); got != 0 {
				t.Errorf("waited %s for a workload that had reported, want 0s", got)
			}
		}
		// The hold is renewed while the drain goes on, and the workload repeats itself after the wait.
		time.Sleep(time.Second)
		if err := s.Drained(drains(bubbleClock{})); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		next := elector.Drain{Cause: "test", Until: leads(bubbleClock{}, "6").ValidUntil}
		if got := wait(next); got != 10*time.Second {
			t.Errorf("waited %s in the next term's drain, want 10s: the report was for the term before", got)
		}
	})
}

func TestReportIsRefusedOutsideADrain(t *testing.T) {
	clock := newClock()
	s := NewSettler(SettlerConfig{Clock: clock, Signals: settled, Log: quiet})
	for name, l := range map[string]leadership.Leadership{"leading": leads(clock, "5"), "standing by": standsBy("web-x")} {
		if err := s.Drained(l); !errors.Is(err, ErrNotDraining) {
			t.Errorf("%s: %v, want %v", name, err, ErrNotDraining)
		}
	}
	if s.drained != 0 {
		t.Error("a refused report was kept")
	}
}

// TestWaitEndsThoughTheTimerSlept: after a suspend the boot clock is far ahead of the timers.
func TestWaitEndsThoughTheTimerSlept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := newClock()
		s := NewSettler(SettlerConfig{Clock: clock, Signals: settled, Log: quiet})
		start := time.Now()
		time.AfterFunc(time.Second, func() { clock.advance(time.Hour) })
		s.Wait(t.Context(), elector.Drain{Cause: "test", Until: clock.Now().Add(time.Minute)})
		if got := time.Since(start); got > time.Second+recheck {
			t.Errorf("waited %s, want at most %s past the jump", got, recheck)
		}
	})
}

// TestSignalsThatFailToSettleAreNotSilent: some reader may still be told "leader".
func TestSignalsThatFailToSettleAreNotSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSettler(SettlerConfig{
			Clock: bubbleClock{}, Native: true, Log: quiet,
			Signals: func(context.Context) error { return errors.New("the fan-out has ended") },
		})
		l, start := drains(bubbleClock{}), time.Now()
		s.Wait(t.Context(), elector.Drain{Cause: "test", Terminating: true, Until: l.ValidUntil})
		if got := time.Since(start); got != 10*time.Second {
			t.Errorf("waited %s, want 10s, to the last validUntil", got)
		}
	})
}
