package child

import (
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/guard/guardtest"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// wantsKilled waits for the stubborn program's end, and checks that it was killed half a margin after until, and before the whole.
func (f *fixture) wantsKilled(until bootclock.Instant) {
	f.t.Helper()
	f.wantsStopped()
	gone := bootclock.System{}.Now()
	if f.lives() || f.Status() != 137 {
		f.t.Errorf("it lives: %t, its status is %d", f.lives(), f.Status())
	}
	if gone.Before(until.Add(margin/2)) || !gone.Before(until.Add(margin)) {
		f.t.Errorf("gone %s after validUntil; want from %s to %s", gone.Sub(until), margin/2, margin)
	}
}

// A term that is lost without a handover ends by its own last validUntil (I11), whatever comes later.
func TestStubbornProgramIsKilledByTheTermsEnd(t *testing.T) {
	f, until := runStubborn(t, 2*time.Second)
	f.apply(leadership.Leadership{})
	f.apply(drains(time.Hour)) // of a later term, which began too late
	f.wantsKilled(until)
}

// When the hold is renewed no more, the last deadline stands: also when the end of the handover is published (I11).
func TestPlannedStopEndsWithItsHold(t *testing.T) {
	for name, lost := range map[string]bool{"no more is published": false, "the loss is published": true} {
		t.Run(name, func(t *testing.T) {
			f, _ := runStubborn(t, time.Minute)
			last := drains(900 * time.Millisecond)
			f.apply(drains(300 * time.Millisecond))
			f.apply(last)
			if lost {
				time.Sleep(time.Until(time.Now().Add(last.ValidUntil.Sub(bootclock.System{}.Now()))))
				f.apply(leadership.Leadership{})
				f.apply(drains(time.Hour))
			}
			f.wantsKilled(last.ValidUntil)
		})
	}
}

// The guard is frozen or killed in the middle of a planned stop: this process is the second hand.
func TestPlannedStopWithoutItsGuard(t *testing.T) {
	for name, sig := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "frozen": syscall.SIGSTOP} {
		t.Run(name, func(t *testing.T) {
			f, _ := runStubborn(t, time.Minute)
			f.apply(drains(500 * time.Millisecond))
			guardtest.Within(f.t, "the guard has the order", func() bool { f.Child.mu.Lock(); defer f.Child.mu.Unlock(); return f.report.Taken == f.order })
			f.signalGuard(sig)
			last := drains(time.Second)
			_ = f.Apply(t.Context(), last) // a guard that was killed does not take it
			f.wantsStopped()
			gone := bootclock.System{}.Now()
			if f.lives() || !gone.Before(last.ValidUntil.Add(margin+2*time.Second)) {
				t.Errorf("the command lives, or its daemon: %t, %s after the last validUntil", f.lives(), gone.Sub(last.ValidUntil))
			}
		})
	}
}
