package signals

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
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

func TestHangingSignalHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := newScripted("hangs", hangingOnGain)
		quick := newScripted("quick", nil)
		fanning(t, func(t *testing.T, f *FanOut, log *bytes.Buffer) {
			f.Publish(leads("5", 10*time.Second))
			synctest.Wait()
			f.Publish(leads("5", 12*time.Second)) // a renewal lets it go on
			synctest.Wait()
			wantApplied(t, hangs, "leader 5")
			f.Publish(standsBy()) // a loss does not
			synctest.Wait()
			wantApplied(t, hangs, "leader 5", "standby")
			wantApplied(t, quick, "leader 5", "leader 5", "standby")
			if got := log.String(); got != "" {
				t.Errorf("a superseded attempt is no failure, yet it logged: %s", got)
			}
		}, nil, required(hangs, quick)...)
	})
}

func TestPanickingSignalIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := true
		broken := newScripted("broken", func(context.Context, leadership.Leadership) error {
			if first {
				first = false
				panic("out of cheese")
			}
			return nil
		})
		quick := newScripted("quick", nil)
		fanning(t, func(t *testing.T, f *FanOut, log *bytes.Buffer) {
			f.Publish(standsBy())
			if err := f.WaitApplied(t.Context()); err != nil {
				t.Errorf("WaitApplied: %v", err)
			}
			synctest.Wait() // the lanes write the log after they have applied it
			if !strings.Contains(log.String(), "out of cheese") {
				t.Errorf("the log does not name the panic: %s", log)
			}
		}, nil, required(broken, quick)...)
		wantApplied(t, broken, "standby", "standby")
		wantApplied(t, quick, "standby")
	})
}

func TestPausesGrowAndStartAnewWithATerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := newScripted("fails", fails)
		fanning(t, func(_ *testing.T, f *FanOut, _ *bytes.Buffer) {
			f.Publish(standsBy())
			time.Sleep(8 * time.Second)
			f.Publish(leads("5", time.Minute))
			time.Sleep(200 * time.Millisecond)
		}, nil, required(failing)...)
		ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
		want := []time.Duration{
			0, ms(50), ms(150), ms(350), ms(750), ms(1550), ms(3150), ms(5150), ms(7150),
			ms(8000), ms(8050), ms(8150), ms(8200), // the last one is the attempt at the end
		}
		if diff := cmp.Diff(want, failing.at); diff != "" {
			t.Errorf("times of the attempts (-want +got):\n%s", diff)
		}
	})
}

// A signal that fails is tried at its own pace while the term is renewed, and at once when another term comes.
func TestRenewalsDoNotSpeedUpASignalThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := newScripted("fails", fails)
		fanning(t, func(t *testing.T, f *FanOut, _ *bytes.Buffer) {
			for range 100 {
				f.Publish(leads("5", 10*time.Second))
				time.Sleep(100 * time.Millisecond)
			}
			if n := len(failing.applied()); n > 11 {
				t.Errorf("%d attempts in 10 s of one term; want at most 11", n)
			}
			synctest.Wait()
			f.Publish(standsBy())
			synctest.Wait()
			if applied := failing.applied(); applied[len(applied)-1] != "standby" {
				t.Errorf("the loss was not tried at once: %v", applied)
			}
		}, nil, required(failing)...)
	})
}

func TestLogsWhenAnErrorChangesOrClears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := []error{errors.New("full"), errors.New("full"), errors.New("gone"), nil, nil}
		n := 0
		s := newScripted("s", func(context.Context, leadership.Leadership) error {
			n++
			return answers[n-1]
		})
		fanning(t, func(t *testing.T, f *FanOut, log *bytes.Buffer) {
			f.Publish(standsBy())
			time.Sleep(time.Second)
			f.Publish(standsBy())
			synctest.Wait()
			var got []string
			for line := range strings.Lines(log.String()) {
				_, message, _ := strings.Cut(strings.TrimSpace(line), "level=")
				got = append(got, message)
			}
			want := []string{
				`WARN msg="signal failed, trying again" signal=s reason=SignalFailed error=full`,
				`WARN msg="signal failed, trying again" signal=s reason=SignalFailed error=gone`,
				`INFO msg="signal works again" signal=s reason=SignalRecovered`,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("log (-want +got):\n%s", diff)
			}
		}, nil, required(s)...)
		if n != len(answers) {
			t.Errorf("%d attempts, want %d", n, len(answers))
		}
	})
}

func TestWaitAppliedWaitsForEverySignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := newScripted("slow", lasting(time.Second))
		fanning(t, func(t *testing.T, f *FanOut, _ *bytes.Buffer) {
			start := time.Now()
			if err := f.WaitApplied(t.Context()); err != nil || time.Since(start) != 0 {
				t.Errorf("WaitApplied before any leadership: %v after %s, want nil at once", err, time.Since(start))
			}
			f.Publish(standsBy())
			if err := f.WaitApplied(t.Context()); err != nil || time.Since(start) != time.Second {
				t.Errorf("WaitApplied: %v after %s, want nil after 1s", err, time.Since(start))
			}
		}, nil, required(slow, newScripted("quick", nil))...)
	})
}

func TestWaitAppliedCountsALeadershipPublishedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripted("s", hangingOnGain)
		fanning(t, func(t *testing.T, f *FanOut, _ *bytes.Buffer) {
			f.Publish(leads("5", time.Minute))
			waited := make(chan error, 1)
			go func() { waited <- f.WaitApplied(t.Context()) }()
			synctest.Wait()
			f.Publish(standsBy())
			if err := <-waited; err != nil {
				t.Errorf("WaitApplied: %v", err)
			}
		}, nil, required(s)...)
	})
}

func TestWaitAppliedNamesWhoIsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := newScripted("fails", fails)
		hangs := newScripted("hangs", hanging)
		fanning(t, func(t *testing.T, f *FanOut, _ *bytes.Buffer) {
			f.Publish(standsBy())
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			err := f.WaitApplied(ctx)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("WaitApplied: %v, want it to end with its context", err)
			}
			for _, want := range []string{"signal fails: disk full", "signal hangs: it has not answered yet"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("WaitApplied says %q, want it to say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "quick") {
				t.Errorf("WaitApplied says %q, which names a signal that is not behind", err)
			}
		}, nil, required(failing, hangs, newScripted("quick", nil))...)
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

func TestALossIsAppliedAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		s := newScripted("s", func(context.Context, leadership.Leadership) error {
			if calls++; calls == 2 {
				return errors.New("not now")
			}
			return nil
		})
		fanning(t, func(_ *testing.T, f *FanOut, _ *bytes.Buffer) {
			f.Publish(leads("5", time.Minute))
			synctest.Wait()
			f.Publish(standsBy())
			synctest.Wait() // failed; the pause has begun
		}, nil, required(s)...)
		wantApplied(t, s, "leader 5", "standby", "standby")
	})
}

func TestRunEndsThoughASignalHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := newScripted("hangs", hanging)
		var start time.Time
		fanning(t, func(_ *testing.T, f *FanOut, _ *bytes.Buffer) {
			f.Publish(standsBy())
			synctest.Wait()
			start = time.Now()
		}, nil, required(hangs)...)
		if got := time.Since(start); got != lastAttempt {
			t.Errorf("Run ended %s after its context, want %s", got, lastAttempt)
		}
	})
}

type latencies struct {
	mu   sync.Mutex
	seen []string
}

func (o *latencies) Applied(signal string, latency time.Duration, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen = append(o.seen, signal+" "+latency.String()+" "+errText(err))
}

func errText(err error) string {
	if err == nil {
		return "<nil>"
	}
	return err.Error()
}

func TestLatencyCountsFromTheFact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := true
		s := newScripted("s", func(context.Context, leadership.Leadership) error {
			time.Sleep(3 * time.Millisecond)
			if first {
				first = false
				return errors.New("no")
			}
			return nil
		})
		observed := &latencies{}
		fanning(t, func(t *testing.T, f *FanOut, _ *bytes.Buffer) {
			l := standsBy()
			time.Sleep(2 * time.Millisecond)
			f.Publish(l)
			if err := f.WaitApplied(t.Context()); err != nil {
				t.Error(err)
			}
			l.Observed = 0
			f.Publish(l)
			if err := f.WaitApplied(t.Context()); err != nil {
				t.Error(err)
			}
		}, observed, required(s)...)
		want := []string{"s 5ms no", "s 58ms <nil>", "s 0s <nil>"}
		if diff := cmp.Diff(want, observed.seen); diff != "" {
			t.Errorf("observed (-want +got):\n%s", diff)
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
