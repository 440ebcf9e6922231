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

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bubbleClock is the boot clock of a synctest bubble.
type bubbleClock struct{}

func (bubbleClock) Now() bootclock.Instant { return bootclock.Instant(time.Now().UnixNano()) }
func (bubbleClock) Wall() time.Time        { return time.Now() }

// NewTimer returns a timer that looks at this clock.
func (c bubbleClock) NewTimer() bootclock.Timer { return bootclock.NewPolledTimer(c.Now, time.Hour) }

// scripted is a signal that notes each call and answers by script.
type scripted struct {
	name   string
	answer func(ctx context.Context, l leadership.Leadership) error

	mu    sync.Mutex
	calls []string // what each call was told
	at    []time.Duration
	start time.Time
}

func newScripted(name string, answer func(context.Context, leadership.Leadership) error) *scripted {
	return &scripted{name: name, answer: answer, start: time.Now()}
}

func (s *scripted) Name() string { return s.name }

func (s *scripted) Apply(ctx context.Context, l leadership.Leadership) error {
	s.mu.Lock()
	s.calls = append(s.calls, told(l.At(bubbleClock{}.Now())))
	s.at = append(s.at, time.Since(s.start))
	s.mu.Unlock()
	if s.answer == nil {
		return nil
	}
	return s.answer(ctx, l)
}

func (s *scripted) told() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.calls...)
}

func told(l leadership.Leadership) string {
	if l.IsLeader {
		return "leader " + l.Token
	}
	return "standby"
}

// leads is a level of a term that runs for d from now.
func leads(token string, d time.Duration) leadership.Leadership {
	now := bubbleClock{}.Now()
	return leadership.Leadership{
		Lease: "acme-1", Identity: "web-1_id", IsLeader: true, Leader: "web-1", Token: token, Since: time.Now(),
		ValidUntil: now.Add(d), ValidUntilWall: time.Now().Add(d), Observed: now,
	}
}

func standsBy() leadership.Leadership {
	return leadership.Leadership{Lease: "acme-1", Identity: "web-1_id", Observed: bubbleClock{}.Now()}
}

// fanning runs a fan-out in a bubble until the body ends.
func fanning(t *testing.T, body func(t *testing.T, f *FanOut, log *bytes.Buffer), observer Observer, signals ...Signal) {
	t.Helper()
	var log bytes.Buffer
	f := NewFanOut(slog.New(slog.NewTextHandler(&log, nil)), bubbleClock{}, observer, signals...)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := f.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	body(t, f, &log)
	cancel()
	<-ended
}

func wantTold(t *testing.T, s *scripted, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, s.told()); diff != "" {
		t.Errorf("what signal %s was told (-want +got):\n%s", s.name, diff)
	}
}

func TestEverySignalIsToldTheNewestLevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := newScripted("slow", func(ctx context.Context, _ leadership.Leadership) error {
			time.Sleep(time.Second) // it does not mind ctx either
			return nil
		})
		quick := newScripted("quick", nil)
		fanning(t, func(t *testing.T, f *FanOut, _ *bytes.Buffer) {
			f.Publish(standsBy())
			synctest.Wait()
			for _, token := range []string{"5", "6", "7"} {
				f.Publish(leads(token, 10*time.Second))
				synctest.Wait()
			}
			time.Sleep(5 * time.Second)
		}, nil, slow, quick)
		wantTold(t, quick, "standby", "leader 5", "leader 6", "leader 7")
		wantTold(t, slow, "standby", "leader 7")
	})
}

func TestPublishBeforeRunIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripted("s", nil)
		f := NewFanOut(slog.New(slog.DiscardHandler), bubbleClock{}, nil, s)
		f.Publish(leads("5", time.Minute))
		f.Publish(standsBy())
		ctx, cancel := context.WithCancel(t.Context())
		go func() { synctest.Wait(); cancel() }()
		if err := f.Run(ctx); err != nil {
			t.Fatal(err)
		}
		wantTold(t, s, "standby")
	})
}

func TestHangingSignalHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := newScripted("hangs", func(ctx context.Context, l leadership.Leadership) error {
			if l.IsLeader {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		})
		quick := newScripted("quick", nil)
		fanning(t, func(t *testing.T, f *FanOut, log *bytes.Buffer) {
			f.Publish(leads("5", 10*time.Second))
			synctest.Wait()
			f.Publish(leads("5", 12*time.Second)) // a renewal lets it go on
			synctest.Wait()
			wantTold(t, hangs, "leader 5")
			f.Publish(standsBy()) // a loss does not
			synctest.Wait()
			wantTold(t, hangs, "leader 5", "standby")
			wantTold(t, quick, "leader 5", "leader 5", "standby")
			if got := log.String(); got != "" {
				t.Errorf("a superseded attempt is no failure, yet it logged: %s", got)
			}
		}, nil, hangs, quick)
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
			if err := f.Settle(t.Context()); err != nil {
				t.Errorf("Settle: %v", err)
			}
			synctest.Wait() // the lanes write the log after they are settled
			if !strings.Contains(log.String(), "out of cheese") {
				t.Errorf("the log does not name the panic: %s", log)
			}
		}, nil, broken, quick)
		wantTold(t, broken, "standby", "standby")
		wantTold(t, quick, "standby")
	})
}

func TestPausesGrowAndStartAnewWithATerm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fails := newScripted("fails", func(context.Context, leadership.Leadership) error { return errors.New("no") })
		fanning(t, func(t *testing.T, f *FanOut, _ *bytes.Buffer) {
			f.Publish(standsBy())
			time.Sleep(8 * time.Second)
			f.Publish(leads("5", time.Minute))
			time.Sleep(200 * time.Millisecond)
		}, nil, fails)
		ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
		want := []time.Duration{
			0, ms(50), ms(150), ms(350), ms(750), ms(1550), ms(3150), ms(5150), ms(7150),
			ms(8000), ms(8050), ms(8150), ms(8200), // the last one is the attempt at the end
		}
		if diff := cmp.Diff(want, fails.at); diff != "" {
			t.Errorf("times of the attempts (-want +got):\n%s", diff)
		}
	})
}

// A signal that fails is asked at its own pace while the term is renewed, and at once when there is another term to tell.
func TestRenewalsDoNotHurryASignalThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fails := newScripted("fails", func(context.Context, leadership.Leadership) error { return errors.New("no") })
		fanning(t, func(t *testing.T, f *FanOut, _ *bytes.Buffer) {
			for range 100 {
				f.Publish(leads("5", 10*time.Second))
				time.Sleep(100 * time.Millisecond)
			}
			if n := len(fails.told()); n > 11 {
				t.Errorf("%d attempts in 10 s of one term; want at most 11", n)
			}
			synctest.Wait()
			f.Publish(standsBy())
			synctest.Wait()
			if told := fails.told(); told[len(told)-1] != "standby" {
				t.Errorf("the loss was not told at once: %v", told)
			}
		}, nil, fails)
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
				`WARN msg="signal failed, trying again" signal=s error=full`,
				`WARN msg="signal failed, trying again" signal=s error=gone`,
				`INFO msg="signal works again" signal=s`,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("log (-want +got):\n%s", diff)
			}
		}, nil, s)
		if n != len(answers) {
			t.Errorf("%d attempts, want %d", n, len(answers))
		}
	})
}

func TestSettleWaitsForEverySignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := newScripted("slow", func(context.Context, leadership.Leadership) error {
			time.Sleep(time.Second)
			return nil
		})
		fanning(t, func(t *testing.T, f *FanOut, _ *bytes.Buffer) {
			start := time.Now()
			if err := f.Settle(t.Context()); err != nil || time.Since(start) != 0 {
				t.Errorf("Settle before any level: %v after %s, want nil at once", err, time.Since(start))
			}
			f.Publish(standsBy())
			if err := f.Settle(t.Context()); err != nil || time.Since(start) != time.Second {
				t.Errorf("Settle: %v after %s, want nil after 1s", err, time.Since(start))
			}
		}, nil, slow, newScripted("quick", nil))
	})
}

func TestSettleCountsALevelPublishedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripted("s", func(ctx context.Context, l leadership.Leadership) error {
			if l.IsLeader {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		})
		fanning(t, func(t *testing.T, f *FanOut, _ *bytes.Buffer) {
			f.Publish(leads("5", time.Minute))
			settled := make(chan error, 1)
			go func() { settled <- f.Settle(t.Context()) }()
			synctest.Wait()
			f.Publish(standsBy())
			if err := <-settled; err != nil {
				t.Errorf("Settle: %v", err)
			}
		}, nil, s)
	})
}

func TestSettleNamesWhoIsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fails := newScripted("fails", func(context.Context, leadership.Leadership) error { return errors.New("disk full") })
		hangs := newScripted("hangs", func(ctx context.Context, _ leadership.Leadership) error {
			<-ctx.Done()
			return ctx.Err()
		})
		fanning(t, func(t *testing.T, f *FanOut, _ *bytes.Buffer) {
			f.Publish(standsBy())
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			err := f.Settle(ctx)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("Settle: %v, want it to end with its context", err)
			}
			for _, want := range []string{"signal fails: disk full", "signal hangs: it has not answered yet"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("Settle says %q, want it to say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "quick") {
				t.Errorf("Settle says %q, which names a signal that has settled", err)
			}
		}, nil, fails, hangs, newScripted("quick", nil))
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
			wantTold(t, s, "leader 5", "leader 5")
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			wantTold(t, s, "leader 5", "leader 5", "standby")
			time.Sleep(time.Minute)
			wantTold(t, s, "leader 5", "leader 5", "standby")
		}, observed, s)
		if diff := cmp.Diff([]string{"s 0s <nil>", "s 0s <nil>", "s 0s <nil>"}, observed.seen); diff != "" {
			t.Errorf("observed (-want +got):\n%s", diff)
		}
	})
}

// TestLapseSparesANewerLevel: a renewal comes between the look at the clock and the end of the term.
func TestLapseSparesANewerLevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := NewFanOut(slog.New(slog.DiscardHandler), bubbleClock{}, nil)
		f.Publish(leads("5", time.Second))
		late := f.serial
		time.Sleep(time.Second)
		f.Publish(leads("5", time.Second))
		f.lapse(late)
		if got := told(f.newest); f.serial != late+1 || got != "leader 5" {
			t.Errorf("the newest level is number %d, %q, want number %d, the renewal", f.serial, got, late+1)
		}
	})
}

func TestUntoldLossIsToldAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		s := newScripted("s", func(context.Context, leadership.Leadership) error {
			if calls++; calls == 2 {
				return errors.New("not now")
			}
			return nil
		})
		fanning(t, func(t *testing.T, f *FanOut, _ *bytes.Buffer) {
			f.Publish(leads("5", time.Minute))
			synctest.Wait()
			f.Publish(standsBy())
			synctest.Wait() // failed; the pause has begun
		}, nil, s)
		wantTold(t, s, "leader 5", "standby", "standby")
	})
}

func TestRunEndsThoughASignalHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := newScripted("hangs", func(ctx context.Context, _ leadership.Leadership) error {
			<-ctx.Done()
			return ctx.Err()
		})
		var start time.Time
		fanning(t, func(t *testing.T, f *FanOut, _ *bytes.Buffer) {
			f.Publish(standsBy())
			synctest.Wait()
			start = time.Now()
		}, nil, hangs)
		if got := time.Since(start); got != lastChance {
			t.Errorf("Run ended %s after its context, want %s", got, lastChance)
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
			if err := f.Settle(t.Context()); err != nil {
				t.Error(err)
			}
			l.Observed = 0
			f.Publish(l)
			if err := f.Settle(t.Context()); err != nil {
				t.Error(err)
			}
		}, observed, s)
		want := []string{"s 5ms no", "s 58ms <nil>", "s 0s <nil>"}
		if diff := cmp.Diff(want, observed.seen); diff != "" {
			t.Errorf("observed (-want +got):\n%s", diff)
		}
	})
}

// TestPublishNeverBlocks publishes from several goroutines to signals that fail, hang and work.
func TestPublishNeverBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := newScripted("hangs", func(ctx context.Context, _ leadership.Leadership) error {
			<-ctx.Done()
			return ctx.Err()
		})
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
				t.Errorf("1001 levels took %s of the bubble's time, want 0s", got)
			}
			synctest.Wait()
			if got := quick.told(); got[len(got)-1] != "standby" {
				t.Errorf("the last level told is %q, want standby", got[len(got)-1])
			}
		}, nil, hangs, quick)
	})
}
