package control

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
)

// eye is a proof of a workload that stops some time after the test's begin; 0: never.
type eye struct {
	name  string
	begin time.Time
	stops time.Duration
	fault error // what Stopped fails with, instead
	asked time.Duration
}

func (e *eye) Name() string { return e.name }

func (e *eye) Stopped(ctx context.Context) error {
	e.asked = time.Since(e.begin)
	if e.fault != nil {
		return e.fault
	}
	if e.stops == 0 {
		<-ctx.Done()
		return ctx.Err()
	}
	select {
	case <-time.After(time.Until(e.begin.Add(e.stops))):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// living is a proof that knows a process: it is alive until it stops.
type living struct{ eye }

func (l *living) Alive() bool { return l.stops == 0 || time.Since(l.begin) < l.stops }

// blindfolded is a proof that has never seen the workload.
type blindfolded struct{ eye }

func (*blindfolded) Blind() bool { return true }

// TestProofs: the waits of one drain whose last published validUntil lies 10 s ahead.
func TestProofs(t *testing.T) {
	for _, c := range []struct {
		name        string
		proofs      func(begin time.Time) []Proof
		native      bool // and terminating
		timeout     time.Duration
		reported    time.Duration
		signals     time.Duration
		want        time.Duration
		because     string
		warnedAbout string
	}{
		{
			name:   "the first that sees it stop counts",
			proofs: func(b time.Time) []Proof { return []Proof{&eye{"slow", b, 3e9, nil, 0}, &eye{"quick", b, 2e9, nil, 0}} },
			want:   2 * time.Second, because: "(quick)",
		},
		{
			name:   "seen before the signals are off",
			proofs: func(b time.Time) []Proof { return []Proof{&eye{"process", b, 1e9, nil, 0}} }, signals: 2 * time.Second,
			want: 2 * time.Second, because: "(process)",
		},
		{
			name:   "sight is better than the rule of the native placement",
			proofs: func(b time.Time) []Proof { return []Proof{&eye{"process", b, 2e9, nil, 0}} }, native: true,
			want: 2 * time.Second, because: "(process)",
		},
		{
			name:   "a blind proof leaves the rule alone",
			proofs: func(b time.Time) []Proof { return []Proof{&blindfolded{eye{"health", b, 0, nil, 0}}} }, native: true,
			signals: 1 * time.Second, want: 1 * time.Second, because: "native",
		},
		{
			name: "one of two sees",
			proofs: func(b time.Time) []Proof {
				return []Proof{&blindfolded{eye{"health", b, 0, nil, 0}}, &eye{"process", b, 2e9, nil, 0}}
			},
			native: true, want: 2 * time.Second, because: "(process)",
		},
		{
			name:   "a report before the sight",
			proofs: func(b time.Time) []Proof { return []Proof{&living{eye{"process", b, 5e9, nil, 0}}} }, reported: 1050 * time.Millisecond,
			want: 1050 * time.Millisecond, because: "reported",
		},
		{
			name:   "nothing is seen until validUntil",
			proofs: func(b time.Time) []Proof { return []Proof{&eye{"health", b, 0, nil, 0}} },
			want:   10 * time.Second, because: "validUntil",
		},
		{
			name:   "known to be alive past validUntil",
			proofs: func(b time.Time) []Proof { return []Proof{&living{eye{"child", b, 12050e6, nil, 0}}} },
			want:   12050 * time.Millisecond, because: "(child)",
		},
		{
			name:   "alive past validUntil, signals never off, then gone",
			proofs: func(b time.Time) []Proof { return []Proof{&living{eye{"child", b, 12e9, nil, 0}}} }, signals: time.Hour,
			want: 12 * time.Second, because: "validUntil",
		},
		{
			name:   "alive, and the operator's promise",
			proofs: func(b time.Time) []Proof { return []Proof{&living{eye{"child", b, 0, nil, 0}}} }, timeout: 3 * time.Second,
			want: 3 * time.Second, because: "drain timeout",
		},
		{
			name: "a proof that fails leaves the rest",
			proofs: func(b time.Time) []Proof {
				return []Proof{&eye{"broken", b, 0, errors.New("look at it: no"), 0}, &eye{"process", b, 2e9, nil, 0}}
			},
			want: 2 * time.Second, because: "(process)", warnedAbout: "broken",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				start := time.Now()
				s := NewSettler(SettlerConfig{
					Clock: bubbleClock{}, Native: c.native, DrainTimeout: c.timeout, Proofs: c.proofs(start),
					Log: slog.New(slog.NewTextHandler(&log, nil)),
					Signals: func(ctx context.Context) error {
						select {
						case <-time.After(c.signals):
							return nil
						case <-ctx.Done():
							return ctx.Err()
						}
					},
				})
				l := drains(bubbleClock{})
				if c.reported > 0 {
					time.AfterFunc(c.reported, func() {
						if err := s.Drained(l); err != nil {
							t.Errorf("Drained: %v", err)
						}
					})
				}
				s.Wait(t.Context(), elector.Drain{Cause: "test", Terminating: c.native, Until: l.ValidUntil})
				if got := time.Since(start); got < c.want || got > c.want+recheck {
					t.Errorf("waited %s, want %s", got, c.want)
				}
				if got := log.String(); !strings.Contains(got, c.because) || !strings.Contains(got, c.warnedAbout) {
					t.Errorf("logged %q, want %q and %q", got, c.because, c.warnedAbout)
				}
			})
		})
	}
}

// TestProofsAreAskedOnceTheSignalsAreOff: a workload may start anew for as long as anything says "leading".
func TestProofsAreAskedOnceTheSignalsAreOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		process := &eye{name: "process", begin: time.Now(), stops: 3e9}
		s := NewSettler(SettlerConfig{
			Clock: bubbleClock{}, Proofs: []Proof{process}, Log: quiet,
			Signals: func(context.Context) error { time.Sleep(2 * time.Second); return nil },
		})
		s.Wait(t.Context(), elector.Drain{Cause: "test", Until: drains(bubbleClock{}).ValidUntil})
		if process.asked != 2*time.Second {
			t.Errorf("asked after %s, want 2s", process.asked)
		}
	})
}

// lingering is a proof that takes its time to leave.
type lingering struct {
	eye
	left atomic.Bool
}

func (l *lingering) Stopped(ctx context.Context) error {
	defer l.left.Store(true)
	defer time.Sleep(time.Second)
	return l.eye.Stopped(ctx)
}

// TestWaitJoinsItsProofs: none goes on looking for a handover that is over.
func TestWaitJoinsItsProofs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		quick, slow := &eye{name: "quick", begin: time.Now(), stops: 1e9}, &lingering{eye: eye{name: "slow", begin: time.Now()}}
		s := NewSettler(SettlerConfig{Clock: bubbleClock{}, Signals: settled, Log: quiet, Proofs: []Proof{quick, slow}})
		s.Wait(t.Context(), elector.Drain{Cause: "test", Until: drains(bubbleClock{}).ValidUntil})
		if !slow.left.Load() {
			t.Error("the wait has returned, and a proof still looks")
		}
	})
}

// TestCalledOffWaitEnds: whatever the proofs see.
func TestCalledOffWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s := NewSettler(SettlerConfig{
			Clock: bubbleClock{}, Signals: settled, Log: quiet, Proofs: []Proof{&living{eye{name: "child", begin: time.Now()}}},
		})
		start := time.Now()
		s.Wait(ctx, elector.Drain{Cause: "test", Until: drains(bubbleClock{}).ValidUntil})
		if got := time.Since(start); got != time.Second {
			t.Errorf("waited %s, want 1s", got)
		}
	})
}
