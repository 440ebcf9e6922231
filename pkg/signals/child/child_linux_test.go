package child

import (
	"context"
	"errors"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/guard/guardtest"
	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

func TestRunsOnlyWhileLeading(t *testing.T) {
	f := run(t, obedient)
	f.apply(leadership.Leadership{})
	if f.State(false) != sight.Stopped {
		t.Error("a standby's program is not seen as stopped")
	}
	f.apply(leads("7", time.Minute))
	pid := f.pid("7")
	f.apply(leads("7", time.Minute)) // a renewal
	if f.State(false) != sight.Running {
		t.Error("it is not seen to live")
	}
	f.apply(drains(time.Minute))
	if f.wantsStopped(); guardtest.Lives(pid) {
		t.Error("it is seen to have stopped, and lives")
	}
	f.neverEnded()
	f.apply(leads("8", time.Minute))
	f.pid("8")
}

// A changed token is another term: its program starts when nothing of the last one lives.
func TestNewTermNewProgram(t *testing.T) {
	f := run(t, obedient)
	f.apply(leads("7", time.Minute))
	old := f.pid("7")
	f.apply(leads("8", time.Minute))
	if f.pid("8") == old || guardtest.Lives(old) {
		t.Error("the last term's program goes on")
	}
	f.neverEnded()
}

// A command that ends by itself ends its term, and another one runs in the next term.
func TestOwnEndEndsTheTerm(t *testing.T) {
	f := run(t, `sleep 0.1; exit 3`)
	f.apply(leads("7", time.Minute))
	if got, want := f.ended(1), "healthy false: the command ended with status 3"; got != want {
		t.Errorf("got %q; want %q", got, want)
	}
	f.apply(leads("7", time.Minute)) // the term is not over at once
	f.apply(leadership.Leadership{})
	guardtest.Within(f.t, "the pause ends", func() bool { return len(f.recorded()) == 2 })
	f.apply(leads("8", time.Minute))
	f.ended(2)
	if got := f.Status(); got != 3 {
		t.Errorf("got status %d; want 3", got)
	}
}

// What ends the sidecar is not for the command.
func TestStopsAreNotForwarded(t *testing.T) {
	for _, s := range forwarded() {
		if s == syscall.SIGTERM || s == syscall.SIGINT {
			t.Errorf("%s is forwarded, and ends the sidecar", s)
		}
	}
}

// Close waits for a command that takes its time, until the wait is abandoned.
func TestAbandonEndsTheWaitOfClose(t *testing.T) {
	f, _ := runStubborn(t, time.Minute)
	f.stop()
	closed := begun(f.Close)
	select {
	case <-closed:
		t.Fatal("it did not wait")
	case <-time.After(300 * time.Millisecond):
	}
	f.Abandon()
	<-closed
	if f.lives() {
		t.Error("the command lives, or its daemon")
	}
}

// What cannot be killed holds Run up until its context ends, and Close until it is abandoned, and either for one attempt more.
func TestWhatCannotBeKilledIsNotAwaitedForEver(t *testing.T) {
	f := run(t, obedient)
	var attempts atomic.Int32
	f.Child.mu.Lock()
	f.killLeft = func(ctx context.Context) error {
		attempts.Add(1)
		_ = bootclock.Sleep(ctx, bootclock.System{}, 10*time.Millisecond)
		return errors.New("it lives")
	}
	f.Child.mu.Unlock()
	f.signalGuard(syscall.SIGKILL)
	guardtest.Within(t, "another attempt", func() bool { return attempts.Load() > 1 })
	soon := func(what string, ended <-chan struct{}) {
		t.Helper()
		select {
		case <-ended:
		case <-time.After(2 * sweepTime):
			t.Fatalf("%s does not end", what)
		}
		if f.State(false) != sight.Running {
			t.Errorf("%s has ended, and what lives counts as stopped", what)
		}
	}
	soon("Run", begun(f.stop))
	closed := begun(f.Close)
	select {
	case <-closed:
		t.Fatal("Close did not wait")
	case <-time.After(300 * time.Millisecond):
	}
	f.Abandon()
	soon("Close", closed)
}

// begun starts what is to end, and returns a channel that closes when it does.
func begun(what func()) <-chan struct{} {
	ended := make(chan struct{})
	go func() { defer close(ended); what() }()
	return ended
}

// The guard is lost: what it left is killed, the term given up, and the next term runs with another guard.
func TestLostGuardIsReplaced(t *testing.T) {
	for name, sig := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "frozen": syscall.SIGSTOP} {
		t.Run(name, func(t *testing.T) {
			f, _ := runStubborn(t, time.Minute)
			f.signalGuard(sig)
			if sig == syscall.SIGSTOP {
				f.apply(leads("7", time.Minute)) // it does not take this renewal
			}
			if got, want := f.ended(1), "healthy false: the command ended with status 137"; got != want || f.lives() {
				t.Errorf("got %q; want %q; the command lives, or its daemon: %t", got, want, f.lives())
			}
			f.wantsStopped()
			guardtest.Within(f.t, "another guard takes orders", func() bool { return f.Apply(t.Context(), leads("8", time.Minute)) == nil })
			f.pid("8")
		})
	}
}

// A guard that is frozen while its program is to stop does not save the program.
func TestFrozenGuardDoesNotSaveTheProgram(t *testing.T) {
	f, until := runStubborn(t, 500*time.Millisecond)
	f.signalGuard(syscall.SIGSTOP)
	f.apply(leadership.Leadership{})
	f.wantsStopped()
	if gone := (bootclock.System{}).Now(); f.lives() || until.Add(margin+400*time.Millisecond).Before(gone) {
		t.Errorf("gone %s after validUntil", gone.Sub(until))
	}
}

// The same where another term has begun before the program is dead, as when a term that expired is taken again at once.
func TestFrozenGuardDoesNotSaveTheLastTermsProgram(t *testing.T) {
	f, _ := runStubborn(t, time.Second)
	f.apply(leadership.Leadership{})
	f.apply(leads("8", time.Minute))
	guardtest.Within(f.t, "the guard has the order", func() bool { f.Child.mu.Lock(); defer f.Child.mu.Unlock(); return f.report.Taken == f.order })
	f.signalGuard(syscall.SIGSTOP)
	guardtest.Within(f.t, "it is killed", func() bool { return !f.lives() })
}

// While the guard has not taken an order, its last report proves nothing.
func TestOrderNotTakenIsNoProof(t *testing.T) {
	f := run(t, obedient)
	f.signalGuard(syscall.SIGSTOP)
	f.apply(leads("7", time.Minute))
	f.apply(leadership.Leadership{})
	if f.State(false) != sight.Running {
		t.Error("the program counts as gone, though the guard may have started it")
	}
	f.signalGuard(syscall.SIGCONT)
	f.wantsStopped()
}
