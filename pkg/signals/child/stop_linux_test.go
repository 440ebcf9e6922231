package child

import (
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/guard/guardtest"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// dead waits for the stubborn program's end and returns when it was.
func (f *fixture) dead(main, daemon int) bootclock.Instant {
	f.t.Helper()
	f.wantsStopped()
	gone := bootclock.System{}.Now()
	if guardtest.Lives(main) || guardtest.Lives(daemon) {
		f.t.Error("it lives")
	}
	if f.Status() != 137 {
		f.t.Errorf("got status %d", f.Status())
	}
	return gone
}

// between checks that the program was killed half a margin after until, and before the whole.
func (f *fixture) between(gone, until bootclock.Instant) {
	f.t.Helper()
	if gone.Before(until.Add(margin/2)) || !gone.Before(until.Add(margin)) {
		f.t.Errorf("gone %s after validUntil; want from %s to %s", gone.Sub(until), margin/2, margin)
	}
}

// A term that is lost without a handover ends by its own last validUntil (I11), whatever comes later.
func TestStubbornProgramIsKilledByTheTermsEnd(t *testing.T) {
	f := run(t, stubborn)
	l := leads("7", 2*time.Second)
	f.apply(l)
	main, daemon := f.pid("7"), f.pid("daemon")
	f.apply(leadership.Leadership{})
	f.apply(drains(time.Hour)) // of a later term, which began too late
	f.between(f.dead(main, daemon), l.ValidUntil)
}

// In a handover each renewal of the hold moves the kill deadline, until the stop timeout is over.
func TestPlannedStopLastsForTheStopTimeout(t *testing.T) {
	f := run(t, stubborn)
	f.cfg.StopTimeout = 2 * time.Second
	f.apply(leads("7", time.Minute))
	main, daemon := f.pid("7"), f.pid("daemon")
	began := bootclock.System{}.Now()
	for range 4 { // the hold is renewed on and on
		f.apply(drains(400 * time.Millisecond))
		time.Sleep(200 * time.Millisecond)
		if !guardtest.Lives(main) || !guardtest.Lives(daemon) {
			t.Fatal("killed though the hold is renewed")
		}
	}
	f.apply(drains(time.Hour))
	if took := f.dead(main, daemon).Sub(began); took < 2*time.Second || took > 4*time.Second {
		t.Errorf("killed %s after the handover's begin, want at the stop timeout, 2s", took)
	}
}

// When the hold is renewed no more, the last deadline stands: also when the end of the handover is published (I11).
func TestPlannedStopEndsWithItsHold(t *testing.T) {
	for name, lost := range map[string]bool{"no more is published": false, "the loss is published": true} {
		t.Run(name, func(t *testing.T) {
			f := run(t, stubborn)
			f.apply(leads("7", time.Minute))
			main, daemon := f.pid("7"), f.pid("daemon")
			last := drains(900 * time.Millisecond)
			f.apply(drains(300 * time.Millisecond))
			f.apply(last)
			if lost {
				time.Sleep(time.Until(time.Now().Add(last.ValidUntil.Sub(bootclock.System{}.Now()))))
				f.apply(leadership.Leadership{})
				f.apply(drains(time.Hour))
			}
			f.between(f.dead(main, daemon), last.ValidUntil)
		})
	}
}

// The guard is frozen or killed in the middle of a planned stop: this process is the second hand.
func TestPlannedStopWithoutItsGuard(t *testing.T) {
	for name, sig := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "frozen": syscall.SIGSTOP} {
		t.Run(name, func(t *testing.T) {
			f := run(t, stubborn)
			f.apply(leads("7", time.Minute))
			main, daemon := f.pid("7"), f.pid("daemon")
			f.apply(drains(500 * time.Millisecond))
			guardtest.Within(f.t, "the guard has the order", func() bool { f.Child.mu.Lock(); defer f.Child.mu.Unlock(); return f.report.Taken == f.order })
			if err := syscall.Kill(f.guardPID(), sig); err != nil {
				t.Fatal(err)
			}
			last := drains(time.Second)
			_ = f.Apply(t.Context(), last) // a guard that was killed does not take it
			f.wantsStopped()
			gone := bootclock.System{}.Now()
			if guardtest.Lives(main) || guardtest.Lives(daemon) || !gone.Before(last.ValidUntil.Add(margin+2*time.Second)) {
				t.Errorf("main lives %t, daemon %t, %s after the last validUntil", guardtest.Lives(main), guardtest.Lives(daemon), gone.Sub(last.ValidUntil))
			}
		})
	}
}
