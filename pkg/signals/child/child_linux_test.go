package child

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/internal/guard/guardtest"
	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// TestMain makes this binary its own guard, as the command is.
func TestMain(m *testing.M) {
	guardtest.DefaultSignals()
	if argv, ok := guard.Invoked(os.Args); ok {
		if err := guard.Main(argv); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

const (
	margin      = 1200 * time.Millisecond
	stopTimeout = 30 * time.Second
)

// election records what the child commands of it.
type election struct {
	mu       sync.Mutex
	commands []string
}

func (e *election) record(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.commands = append(e.commands, fmt.Sprintf(format, args...))
}

func (e *election) StepDown(cause string) error { e.record("step down: %s", cause); return nil }

func (e *election) SetHealthy(healthy bool, why string) { e.record("healthy %t: %s", healthy, why) }

func (e *election) recorded() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.commands)
}

// fixture is a child with a real guard, and the election that it commands.
type fixture struct {
	*Child
	*election
	t   *testing.T
	dir string
}

func run(t *testing.T, script string) *fixture {
	t.Helper()
	f := &fixture{t: t, dir: t.TempDir(), election: &election{}}
	t.Setenv("DIR", f.dir)
	var err error
	f.Child, err = New(Config{
		Command: []string{"sh", "-c", script}, KillMargin: margin, StopTimeout: stopTimeout, Clock: bootclock.System{},
		Election: f.election, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
		f.Abandon()
		f.Close()
	})
	return f
}

func leads(token string, left time.Duration) leadership.Leadership {
	until := bootclock.System{}.Now().Add(left)
	wall := time.Date(2026, 11, 22, 10, 0, 0, 123_900_000, time.UTC)
	return leadership.Leadership{
		Lease: "web", Namespace: "apps", Identity: "web-a_1", IsLeader: true, Leader: "web-a", LeaderUntil: until,
		Token: token, Transitions: 4, Since: wall, ValidUntil: until, ValidUntilWall: wall.Add(10 * time.Second), BootID: "boot",
	}
}

func (f *fixture) apply(l leadership.Leadership) {
	f.t.Helper()
	began := time.Now()
	if err := f.Apply(f.t.Context(), l); err != nil {
		f.t.Fatal(err)
	}
	if d := time.Since(began); d > time.Second {
		f.t.Errorf("Apply took %s", d)
	}
}

// ended waits for so many ends of the command, by what they make the child command, and returns the last of these commands.
func (f *fixture) ended(count int) string {
	f.t.Helper()
	var unhealthy []string
	f.within(fmt.Sprintf("%d ends", count), func() bool {
		unhealthy = nil
		for _, command := range f.recorded() {
			if strings.HasPrefix(command, "healthy false: ") {
				unhealthy = append(unhealthy, command)
			}
		}
		return len(unhealthy) == count
	})
	return unhealthy[count-1]
}

// neverEnded checks that the child has commanded nothing.
func (f *fixture) neverEnded() {
	f.t.Helper()
	if commands := f.recorded(); len(commands) != 0 {
		f.t.Errorf("it was ordered to stop, but counts as ended by itself: %q", commands)
	}
}

func (f *fixture) within(what string, so func() bool) {
	f.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if so() {
			return
		}
	}
	f.t.Fatalf("not within 10 s: %s", what)
}

func (f *fixture) read(name string) string {
	f.t.Helper()
	var b []byte
	f.within("the program writes "+name, func() bool {
		var err error
		b, err = os.ReadFile(filepath.Join(f.dir, name))
		return err == nil && strings.HasSuffix(string(b), "\n")
	})
	return strings.TrimSpace(string(b))
}

func (f *fixture) pid(name string) int {
	f.t.Helper()
	pid, err := strconv.Atoi(f.read(name))
	if err != nil {
		f.t.Fatal(err)
	}
	return pid
}

// awaitStop returns nil once the command and all its descendants are gone, or ctx's error when it ends first.
func (f *fixture) awaitStop(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	f.Watch(ctx, func() {
		if f.State(false) == sight.Stopped {
			cancel(errStopped)
		}
	})
	if err := context.Cause(ctx); err != errStopped { //nolint:errorlint // it is this very value
		return err
	}
	return nil
}

var errStopped = errors.New("stopped")

func (f *fixture) guardPID() int {
	f.Child.mu.Lock()
	defer f.Child.mu.Unlock()
	return f.guard.PID()
}

func lives(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(b), ") Z ")
}

const obedient = `trap 'sleep 0.2; exit 0' TERM; echo $$ >$DIR/$LEASE_SIDECAR_TOKEN; while :; do sleep 0.02; done`

const stubborn = `trap '' TERM; setsid sh -c 'trap "" TERM; echo $$ >$DIR/daemon; while :; do sleep 0.05; done' &
echo $$ >$DIR/$LEASE_SIDECAR_TOKEN; while :; do sleep 0.05; done`

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
	draining := leads("", time.Minute)
	draining.IsLeader, draining.Since = false, time.Time{}
	f.apply(draining)
	if err := f.awaitStop(t.Context()); err != nil || lives(pid) || f.State(false) != sight.Stopped {
		t.Errorf("stopped: %v, lives: %t, alive: %t", err, lives(pid), f.State(false) != sight.Stopped)
	}
	f.neverEnded()
	f.apply(leads("8", time.Minute))
	f.pid("8")
}

func TestStoppedEndsWithItsContext(t *testing.T) {
	f := run(t, obedient)
	f.apply(leads("7", time.Minute))
	f.pid("7")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if f.awaitStop(ctx) == nil {
		t.Error("a running program counts as stopped")
	}
}

// A changed token is another term: its program starts when nothing of the last one lives.
func TestNewTermNewProgram(t *testing.T) {
	f := run(t, obedient)
	f.apply(leads("7", time.Minute))
	old := f.pid("7")
	f.apply(leads("8", time.Minute))
	if f.pid("8") == old || lives(old) {
		t.Error("the last term's program goes on")
	}
	f.neverEnded()
}

// drains is the leadership in a handover whose hold lasts so long from now.
func drains(left time.Duration) leadership.Leadership {
	l := leads("", left)
	l.IsLeader, l.Since = false, time.Time{}
	return l
}

// dead waits for the stubborn program's end and returns when it was.
func (f *fixture) dead(main, daemon int) bootclock.Instant {
	f.t.Helper()
	if err := f.awaitStop(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	gone := bootclock.System{}.Now()
	if lives(main) || lives(daemon) {
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
		if !lives(main) || !lives(daemon) {
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
			f.within("the guard has the order", func() bool { f.Child.mu.Lock(); defer f.Child.mu.Unlock(); return f.report.Taken == f.order })
			if err := syscall.Kill(f.guardPID(), sig); err != nil {
				t.Fatal(err)
			}
			last := drains(time.Second)
			_ = f.Apply(t.Context(), last) // a guard that was killed does not take it
			if err := f.awaitStop(t.Context()); err != nil {
				t.Fatal(err)
			}
			gone := bootclock.System{}.Now()
			if lives(main) || lives(daemon) || !gone.Before(last.ValidUntil.Add(margin+2*time.Second)) {
				t.Errorf("main lives %t, daemon %t, %s after the last validUntil", lives(main), lives(daemon), gone.Sub(last.ValidUntil))
			}
		})
	}
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
	f.within("the pause ends", func() bool { return len(f.recorded()) == 2 })
	f.apply(leads("8", time.Minute))
	f.ended(2)
	if got := f.Status(); got != 3 {
		t.Errorf("got status %d; want 3", got)
	}
}

// Process signals of this process reach the command's group, but for those that end the sidecar.
func TestSignalsAreForwarded(t *testing.T) {
	f := run(t, `for s in HUP USR1 USR2 WINCH; do trap "echo $s >>\$DIR/signals" $s; done
echo $$ >$DIR/main; while :; do sleep 0.02; done`)
	f.apply(leads("7", time.Minute))
	f.pid("main")
	for i, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH} {
		if err := syscall.Kill(os.Getpid(), s); err != nil {
			t.Fatal(err)
		}
		f.within("the command gets "+s.String(), func() bool {
			got, _ := os.ReadFile(filepath.Join(f.dir, "signals"))
			return strings.Count(string(got), "\n") == i+1
		})
	}
	for _, s := range forwarded() {
		if s == syscall.SIGTERM || s == syscall.SIGINT {
			t.Errorf("%s is forwarded, and ends the sidecar", s)
		}
	}
}

// The guard is lost: what it left is killed, the term given up, and the next term runs with another guard.
func TestLostGuardIsReplaced(t *testing.T) {
	for name, sig := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "frozen": syscall.SIGSTOP} {
		t.Run(name, func(t *testing.T) {
			f := run(t, stubborn)
			f.apply(leads("7", time.Minute))
			main, daemon := f.pid("7"), f.pid("daemon")
			if err := syscall.Kill(f.guardPID(), sig); err != nil {
				t.Fatal(err)
			}
			if sig == syscall.SIGSTOP {
				f.apply(leads("7", time.Minute)) // it does not take this renewal
			}
			if got, want := f.ended(1), "healthy false: the command ended with status 137"; got != want || lives(main) || lives(daemon) {
				t.Errorf("got %q; want %q; main lives: %t, daemon lives: %t", got, want, lives(main), lives(daemon))
			}
			if err := f.awaitStop(t.Context()); err != nil {
				t.Error(err)
			}
			f.within("another guard takes orders", func() bool { return f.Apply(t.Context(), leads("8", time.Minute)) == nil })
			f.pid("8")
		})
	}
}

// A guard that is frozen while its program is to stop does not save the program.
func TestFrozenGuardDoesNotSaveTheProgram(t *testing.T) {
	f := run(t, stubborn)
	l := leads("7", 500*time.Millisecond)
	f.apply(l)
	main, daemon := f.pid("7"), f.pid("daemon")
	if err := syscall.Kill(f.guardPID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	f.apply(leadership.Leadership{})
	if err := f.awaitStop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if gone := (bootclock.System{}).Now(); lives(main) || lives(daemon) || l.ValidUntil.Add(margin+400*time.Millisecond).Before(gone) {
		t.Errorf("gone %s after validUntil", gone.Sub(l.ValidUntil))
	}
}

// While the guard has not taken an order, its last report proves nothing.
func TestOrderNotTakenIsNoProof(t *testing.T) {
	f := run(t, obedient)
	if err := syscall.Kill(f.guardPID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	f.apply(leads("7", time.Minute))
	f.apply(leadership.Leadership{})
	if f.State(false) != sight.Running {
		t.Error("the program counts as gone, though the guard may have started it")
	}
	if err := syscall.Kill(f.guardPID(), syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := f.awaitStop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestEnvironment(t *testing.T) {
	l := leads("48213", time.Minute)
	l.ValidUntil = 812345678901
	t.Setenv("LEASE_SIDECAR_NAMESPACE", "apps") // the user's own, who says the same
	t.Setenv("LEASE_SIDECAR_IDENTITY", "web-a")
	got := strings.Join(environment(l), "\n")
	const document = `LEASE=web
NAMESPACE=apps
IDENTITY=web-a_1
LEADER=web-a
TOKEN=48213
TRANSITIONS=4
SINCE=2026-11-22T10:00:00.123Z
VALID_UNTIL=2026-11-22T10:00:10.123Z
VALID_UNTIL_BOOTTIME_NS=812345678901
BOOT_ID=boot
`
	with := func(prefix string) (s string) {
		for line := range strings.Lines(document) {
			s += prefix + line
		}
		return s
	}
	want := with("LEADERSHIP_") + with("LEASE_SIDECAR_") +
		"LEADERSHIP_COPIES=LEASE_SIDECAR_LEASE LEASE_SIDECAR_IDENTITY LEASE_SIDECAR_LEADER LEASE_SIDECAR_TOKEN " +
		"LEASE_SIDECAR_TRANSITIONS LEASE_SIDECAR_SINCE LEASE_SIDECAR_VALID_UNTIL LEASE_SIDECAR_VALID_UNTIL_BOOTTIME_NS LEASE_SIDECAR_BOOT_ID"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// What a program below finds in its environment: a copy of the document is no flag, a value of the user's own is.
func TestFromDocument(t *testing.T) {
	l := leads("48213", time.Minute)
	t.Setenv("LEASE_SIDECAR_NAMESPACE", "apps")
	for _, one := range environment(l) {
		name, value, _ := strings.Cut(one, "=")
		t.Setenv(name, value)
	}
	t.Setenv("LEASE_SIDECAR_LEASE", "other") // set anew by the program
	t.Setenv("LEASE_SIDECAR_STORE", "dir:leases")
	for name, want := range map[string]bool{
		"LEASE_SIDECAR_IDENTITY": true, "LEASE_SIDECAR_TOKEN": true, "LEASE_SIDECAR_NAMESPACE": false,
		"LEASE_SIDECAR_LEASE": false, "LEASE_SIDECAR_STORE": false, "LEADERSHIP_TOKEN": false, "HOME": false,
	} {
		if got := FromDocument(name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
