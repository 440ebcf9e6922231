package signals

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock/clocktest"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership/leadershiptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var clock = clocktest.Bubble{}

// scripted is a signal that notes each call and answers by script.
type scripted struct {
	name   string
	answer func(ctx context.Context, l leadership.Leadership) error

	mu    sync.Mutex
	calls []string // what each call applied
	at    []time.Duration
	start time.Time
}

func newScripted(name string, answer func(context.Context, leadership.Leadership) error) *scripted {
	return &scripted{name: name, answer: answer, start: time.Now()}
}

func (s *scripted) Name() string { return s.name }

func (s *scripted) Apply(ctx context.Context, l leadership.Leadership) error {
	s.mu.Lock()
	s.calls = append(s.calls, leadershiptest.Text(l.At(clock.Now())))
	s.at = append(s.at, time.Since(s.start))
	s.mu.Unlock()
	if s.answer == nil {
		return nil
	}
	return s.answer(ctx, l)
}

func (s *scripted) applied() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.calls...)
}

// times returns when each call began, counted from the signal's making.
func (s *scripted) times() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]time.Duration(nil), s.at...)
}

// leads is the leadership of a term that runs for d from now.
func leads(token string, d time.Duration) leadership.Leadership {
	l := leadershiptest.Leading(clock, token)
	l.ValidUntil, l.ValidUntilWall, l.Observed = clock.Now().Add(d), clock.Wall().Add(d), clock.Now()
	return l
}

func standsBy() leadership.Leadership {
	l := leadershiptest.Standby("")
	l.Observed = clock.Now()
	return l
}

// hanging answers when its context ends.
func hanging(ctx context.Context, _ leadership.Leadership) error {
	<-ctx.Done()
	return ctx.Err()
}

// hangingOnGain is hanging for a leader, and at once otherwise.
func hangingOnGain(ctx context.Context, l leadership.Leadership) error {
	if l.IsLeader {
		return hanging(ctx, l)
	}
	return nil
}

// lasting takes d, and does not mind its context.
func lasting(d time.Duration) func(context.Context, leadership.Leadership) error {
	return func(context.Context, leadership.Leadership) error { time.Sleep(d); return nil }
}

// fails answers with an error at once.
func fails(context.Context, leadership.Leadership) error { return errors.New("disk full") }

// required makes outputs that a handover waits for.
func required(signals ...*scripted) []Output {
	var outputs []Output
	for _, s := range signals {
		outputs = append(outputs, Output{Signal: s})
	}
	return outputs
}

// fanning runs a fan-out in a bubble until the body ends.
func fanning(t *testing.T, body func(t *testing.T, f *FanOut, log *bytes.Buffer), observer Observer, outputs ...Output) {
	t.Helper()
	var log bytes.Buffer
	f := NewFanOut(slog.New(slog.NewTextHandler(&log, nil)), clock, observer, outputs...)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.Run(ctx)
	}()
	body(t, f, &log)
	cancel()
	<-ended
}

func wantApplied(t *testing.T, s *scripted, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, s.applied()); diff != "" {
		t.Errorf("what signal %s applied (-want +got):\n%s", s.name, diff)
	}
}

func TestEverySignalAppliesTheNewestLeadership(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := newScripted("slow", lasting(time.Second))
		quick := newScripted("quick", nil)
		fanning(t, func(_ *testing.T, f *FanOut, _ *bytes.Buffer) {
			f.Publish(standsBy())
			synctest.Wait()
			for _, token := range []string{"5", "6", "7"} {
				f.Publish(leads(token, 10*time.Second))
				synctest.Wait()
			}
			time.Sleep(5 * time.Second)
		}, nil, required(slow, quick)...)
		wantApplied(t, quick, "standby", "leader 5", "leader 6", "leader 7")
		wantApplied(t, slow, "standby", "leader 7")
	})
}

func TestPublishBeforeRunIsApplied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripted("s", nil)
		f := NewFanOut(slog.New(slog.DiscardHandler), clock, nil, required(s)...)
		f.Publish(leads("5", time.Minute))
		f.Publish(standsBy())
		ctx, cancel := context.WithCancel(t.Context())
		go func() { synctest.Wait(); cancel() }()
		f.Run(ctx)
		wantApplied(t, s, "standby")
	})
}

// TestTermEndsByTheClock is I1 for the signals: the loop that should end the term is stuck.
func TestTermEndsByTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripted("s", nil)
		observed := &latencies{}
		fanning(t, func(t *testing.T, f *FanOut, _ *bytes.Buffer) {
			f.Publish(leads("5", 10*time.Second))
			time.Sleep(3 * time.Second)
			f.Publish(leads("5", 10*time.Second)) // until 13 s
			time.Sleep(10*time.Second - time.Nanosecond)
			synctest.Wait()
			wantApplied(t, s, "leader 5", "leader 5")
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			wantApplied(t, s, "leader 5", "leader 5", "standby")
			time.Sleep(time.Minute)
			wantApplied(t, s, "leader 5", "leader 5", "standby")
		}, observed, required(s)...)
		if diff := cmp.Diff([]string{"s 0s <nil>", "s 0s <nil>", "s 0s <nil>"}, observed.seen); diff != "" {
			t.Errorf("observed (-want +got):\n%s", diff)
		}
	})
}

// TestLapseSparesANewerLeadership: a renewal comes between the look at the clock and the end of the term.
func TestLapseSparesANewerLeadership(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := NewFanOut(slog.New(slog.DiscardHandler), clock, nil)
		f.Publish(leads("5", time.Second))
		late := f.serial
		time.Sleep(time.Second)
		f.Publish(leads("5", time.Second))
		f.lapse(late)
		if got := leadershiptest.Text(f.newest); f.serial != late+1 || got != "leader 5" {
			t.Errorf("the newest leadership is number %d, %q, want number %d, the renewal", f.serial, got, late+1)
		}
	})
}

// TestPublishNeverBlocks publishes from several goroutines to signals that fail, hang and work.
func TestPublishNeverBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := newScripted("hangs", hanging)
		quick := newScripted("quick", nil)
		fanning(t, func(t *testing.T, f *FanOut, _ *bytes.Buffer) {
			start := time.Now()
			var publishers sync.WaitGroup
			for range 4 {
				publishers.Go(func() {
					for range 250 {
						f.Publish(leads("5", time.Minute))
					}
				})
			}
			publishers.Wait()
			f.Publish(standsBy())
			if got := time.Since(start); got != 0 {
				t.Errorf("1001 leaderships took %s of the bubble's time, want 0s", got)
			}
			synctest.Wait()
			if got := quick.applied(); got[len(got)-1] != "standby" {
				t.Errorf("the last one applied is %q, want standby", got[len(got)-1])
			}
		}, nil, required(hangs, quick)...)
	})
}
