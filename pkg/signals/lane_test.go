package signals

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

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
		calls := 0
		broken := newScripted("broken", func(context.Context, leadership.Leadership) error {
			if calls++; calls <= 2 {
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
			want := `level=ERROR msg="signal panicked, trying again" signal=broken reason=SignalPanicked error="signal panicked: out of cheese" stack=`
			if got := log.String(); strings.Count(got, want) != 1 || !strings.Contains(got, "TestPanickingSignalIsTriedAgain") {
				t.Errorf("want one record %s with the place of the panic, however often it is tried: %s", want, got)
			}
		}, nil, required(broken, quick)...)
		wantApplied(t, broken, "standby", "standby", "standby")
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
		if diff := cmp.Diff(want, failing.times()); diff != "" {
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
