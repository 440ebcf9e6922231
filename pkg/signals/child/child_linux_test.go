package child

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// TestMain makes this binary its own guard, as the command is.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == guard.Subcommand && os.Args[2] == "--" {
		syscall.CloseOnExec(3)
		syscall.CloseOnExec(4)
		if err := guard.Main(os.Args[3:], os.NewFile(3, "orders"), os.NewFile(4, "reports")); err != nil {
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

// nursery is a child with a real guard, and the ends that it told of.
type nursery struct {
	*Child
	t           *testing.T
	dir         string
	stopTimeout time.Duration

	mu   sync.Mutex
	ends []End
}

func raise(t *testing.T, script string) *nursery {
	t.Helper()
	n := &nursery{t: t, dir: t.TempDir(), stopTimeout: stopTimeout}
	t.Setenv("DIR", n.dir)
	var err error
	n.Child, err = New(Config{
		Command: []string{"sh", "-c", script}, KillMargin: margin, StopTimeout: n.stopTimeout, Clock: bootclock.System{},
		Ended: func(e End) { n.mu.Lock(); defer n.mu.Unlock(); n.ends = append(n.ends, e) },
		Log:   slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
		closing, cancel := context.WithCancel(context.Background())
		cancel() // nobody waits
		_ = n.Close(closing)
	})
	return n
}

func leads(token string, left time.Duration) leadership.Leadership {
	until := bootclock.System{}.Now().Add(left)
	wall := time.Date(2026, 11, 22, 10, 0, 0, 123_900_000, time.UTC)
	return leadership.Leadership{
		Lease: "web", Namespace: "apps", Identity: "web-a_1", IsLeader: true, Leader: "web-a", LeaderUntil: until,
		Token: token, Transitions: 4, Since: wall, ValidUntil: until, ValidUntilWall: wall.Add(10 * time.Second), BootID: "boot",
	}
}

func (n *nursery) apply(l leadership.Leadership) {
	n.t.Helper()
	began := time.Now()
	if err := n.Apply(n.t.Context(), l); err != nil {
		n.t.Fatal(err)
	}
	if d := time.Since(began); d > time.Second {
		n.t.Errorf("Apply took %s", d)
	}
}

func (n *nursery) told() []End {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]End(nil), n.ends...)
}

func (n *nursery) within(what string, so func() bool) {
	n.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if so() {
			return
		}
	}
	n.t.Fatalf("not within 10 s: %s", what)
}

func (n *nursery) read(name string) string {
	n.t.Helper()
	var b []byte
	n.within("the program writes "+name, func() bool {
		var err error
		b, err = os.ReadFile(filepath.Join(n.dir, name))
		return err == nil && strings.HasSuffix(string(b), "\n")
	})
	return strings.TrimSpace(string(b))
}

func (n *nursery) pid(name string) int {
	n.t.Helper()
	pid, err := strconv.Atoi(n.read(name))
	if err != nil {
		n.t.Fatal(err)
	}
	return pid
}

func (n *nursery) guardPID() int {
	n.Child.mu.Lock()
	defer n.Child.mu.Unlock()
	return n.guard.PID()
}

func lives(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(b), ") Z ")
}

const obedient = `trap 'sleep 0.2; exit 0' TERM; echo $$ >$DIR/$LEASE_SIDECAR_TOKEN; while :; do sleep 0.02; done`

const stubborn = `trap '' TERM; setsid sh -c 'trap "" TERM; echo $$ >$DIR/daemon; while :; do sleep 0.05; done' &
echo $$ >$DIR/$LEASE_SIDECAR_TOKEN; while :; do sleep 0.05; done`

func TestRunsOnlyWhileLeading(t *testing.T) {
	n := raise(t, obedient)
	n.apply(leadership.Leadership{})
	if n.State(false) != sight.Stopped {
		t.Error("a standby's program is not seen as stopped")
	}
	n.apply(leads("7", time.Minute))
	pid := n.pid("7")
	n.apply(leads("7", time.Minute)) // a renewal
	if n.State(false) != sight.Running {
		t.Error("it is not seen to live")
	}
	draining := leads("", time.Minute)
	draining.IsLeader, draining.Since = false, time.Time{}
	n.apply(draining)
	if err := n.awaitStop(t.Context()); err != nil || lives(pid) || n.State(false) != sight.Stopped {
		t.Errorf("stopped: %v, lives: %t, alive: %t", err, lives(pid), n.State(false) != sight.Stopped)
	}
	if ends := n.told(); len(ends) != 0 {
		t.Errorf("it was told to stop, but counts as ended by itself: %+v", ends)
	}
	n.apply(leads("8", time.Minute))
	n.pid("8")
}

func TestStoppedEndsWithItsContext(t *testing.T) {
	n := raise(t, obedient)
	n.apply(leads("7", time.Minute))
	n.pid("7")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if n.awaitStop(ctx) == nil {
		t.Error("a running program counts as stopped")
	}
}

// A changed token is another term: its program starts when nothing of the last one lives.
func TestNewTermNewProgram(t *testing.T) {
	n := raise(t, obedient)
	n.apply(leads("7", time.Minute))
	old := n.pid("7")
	n.apply(leads("8", time.Minute))
	if n.pid("8") == old || lives(old) {
		t.Error("the last term's program goes on")
	}
	if ends := n.told(); len(ends) != 0 {
		t.Errorf("got %+v", ends)
	}
}

// drains is the level of a handover whose hold lasts so long from now.
func drains(left time.Duration) leadership.Leadership {
	l := leads("", left)
	l.IsLeader, l.Since = false, time.Time{}
	return l
}

// dead waits for the stubborn program's end and returns when it was.
func (n *nursery) dead(main, daemon int) bootclock.Instant {
	n.t.Helper()
	if err := n.awaitStop(n.t.Context()); err != nil {
		n.t.Fatal(err)
	}
	gone := bootclock.System{}.Now()
	if lives(main) || lives(daemon) {
		n.t.Error("it lives")
	}
	if n.Status() != 137 {
		n.t.Errorf("got status %d", n.Status())
	}
	return gone
}

// between checks that the program was killed half a margin after until, and before the whole.
func (n *nursery) between(gone, until bootclock.Instant) {
	n.t.Helper()
	if gone.Before(until.Add(margin/2)) || !gone.Before(until.Add(margin)) {
		n.t.Errorf("gone %s after validUntil; want from %s to %s", gone.Sub(until), margin/2, margin)
	}
}

// A term that is lost without a handover ends by its own last validUntil (I11), whatever comes later.
func TestStubbornProgramIsKilledByTheTermsEnd(t *testing.T) {
	n := raise(t, stubborn)
	l := leads("7", 2*time.Second)
	n.apply(l)
	main, daemon := n.pid("7"), n.pid("daemon")
	n.apply(leadership.Leadership{})
	n.apply(drains(time.Hour)) // of a later term, which began too late
	n.between(n.dead(main, daemon), l.ValidUntil)
}

// In a handover each renewal of the hold moves the kill deadline, until the stop timeout is over.
func TestPlannedStopLastsForTheStopTimeout(t *testing.T) {
	n := raise(t, stubborn)
	n.cfg.StopTimeout = 2 * time.Second
	n.apply(leads("7", time.Minute))
	main, daemon := n.pid("7"), n.pid("daemon")
	began := bootclock.System{}.Now()
	for range 4 { // the hold is renewed on and on
		n.apply(drains(400 * time.Millisecond))
		time.Sleep(200 * time.Millisecond)
		if !lives(main) || !lives(daemon) {
			t.Fatal("killed though the hold is renewed")
		}
	}
	n.apply(drains(time.Hour))
	if took := n.dead(main, daemon).Sub(began); took < 2*time.Second || took > 4*time.Second {
		t.Errorf("killed %s after the handover's begin, want at the stop timeout, 2s", took)
	}
}

// When the hold is renewed no more, the last deadline stands: also when the handover's end is told (I11).
func TestPlannedStopEndsWithItsHold(t *testing.T) {
	for name, lost := range map[string]bool{"nothing more is told": false, "the loss is told": true} {
		t.Run(name, func(t *testing.T) {
			n := raise(t, stubborn)
			n.apply(leads("7", time.Minute))
			main, daemon := n.pid("7"), n.pid("daemon")
			last := drains(900 * time.Millisecond)
			n.apply(drains(300 * time.Millisecond))
			n.apply(last)
			if lost {
				time.Sleep(time.Until(time.Now().Add(last.ValidUntil.Sub(bootclock.System{}.Now()))))
				n.apply(leadership.Leadership{})
				n.apply(drains(time.Hour))
			}
			n.between(n.dead(main, daemon), last.ValidUntil)
		})
	}
}

// The guard is frozen or killed in the middle of a planned stop: this process is the second hand.
func TestPlannedStopWithoutItsGuard(t *testing.T) {
	for name, sig := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "frozen": syscall.SIGSTOP} {
		t.Run(name, func(t *testing.T) {
			n := raise(t, stubborn)
			n.apply(leads("7", time.Minute))
			main, daemon := n.pid("7"), n.pid("daemon")
			n.apply(drains(500 * time.Millisecond))
			n.within("the guard has heard", func() bool { n.Child.mu.Lock(); defer n.Child.mu.Unlock(); return n.report.Taken == n.order })
			if err := syscall.Kill(n.guardPID(), sig); err != nil {
				t.Fatal(err)
			}
			last := drains(time.Second)
			_ = n.Apply(t.Context(), last) // a guard that was killed does not take it
			if err := n.awaitStop(t.Context()); err != nil {
				t.Fatal(err)
			}
			gone := bootclock.System{}.Now()
			if lives(main) || lives(daemon) || !gone.Before(last.ValidUntil.Add(margin+2*time.Second)) {
				t.Errorf("main lives %t, daemon %t, %s after the last validUntil", lives(main), lives(daemon), gone.Sub(last.ValidUntil))
			}
		})
	}
}

func TestOwnEndIsTold(t *testing.T) {
	n := raise(t, `sleep 0.1; exit 3`)
	n.apply(leads("7", time.Minute))
	n.within("its end is told", func() bool { return len(n.told()) == 1 })
	e := n.told()[0]
	if e.Token != "7" || e.Status != 3 || e.Ordered || e.Ran < 50*time.Millisecond || e.Ran > 8*time.Second {
		t.Errorf("got %+v", e)
	}
	n.apply(leads("7", time.Minute)) // the term is not over at once
	n.apply(leadership.Leadership{})
	n.apply(leads("8", time.Minute))
	n.within("the next one's end is told", func() bool { return len(n.told()) == 2 })
}

// The guard is lost: what it left is killed, the term given up, and the next term runs with another guard.
func TestLostGuardIsReplaced(t *testing.T) {
	for name, sig := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "frozen": syscall.SIGSTOP} {
		t.Run(name, func(t *testing.T) {
			n := raise(t, stubborn)
			n.apply(leads("7", time.Minute))
			main, daemon := n.pid("7"), n.pid("daemon")
			if err := syscall.Kill(n.guardPID(), sig); err != nil {
				t.Fatal(err)
			}
			if sig == syscall.SIGSTOP {
				n.apply(leads("7", time.Minute)) // it does not hear of this renewal
			}
			n.within("the loss is told", func() bool { return len(n.told()) == 1 })
			if e := n.told()[0]; e.Token != "7" || e.Signal != syscall.SIGKILL || lives(main) || lives(daemon) {
				t.Errorf("got %+v; main lives: %t, daemon lives: %t", e, lives(main), lives(daemon))
			}
			if err := n.awaitStop(t.Context()); err != nil {
				t.Error(err)
			}
			n.within("another guard takes orders", func() bool { return n.Apply(t.Context(), leads("8", time.Minute)) == nil })
			n.pid("8")
		})
	}
}

// A guard that is frozen while its program is to stop does not save the program.
func TestFrozenGuardDoesNotSaveTheProgram(t *testing.T) {
	n := raise(t, stubborn)
	l := leads("7", 500*time.Millisecond)
	n.apply(l)
	main, daemon := n.pid("7"), n.pid("daemon")
	if err := syscall.Kill(n.guardPID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	n.apply(leadership.Leadership{})
	if err := n.awaitStop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if gone := (bootclock.System{}).Now(); lives(main) || lives(daemon) || l.ValidUntil.Add(margin+400*time.Millisecond).Before(gone) {
		t.Errorf("gone %s after validUntil", gone.Sub(l.ValidUntil))
	}
}

// An order that the guard has not heard yet tells nothing of what lives.
func TestUnheardOrderIsNoProof(t *testing.T) {
	n := raise(t, obedient)
	if err := syscall.Kill(n.guardPID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	n.apply(leads("7", time.Minute))
	n.apply(leadership.Leadership{})
	if n.State(false) != sight.Running {
		t.Error("the program counts as gone, though the guard may have started it")
	}
	if err := syscall.Kill(n.guardPID(), syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := n.awaitStop(t.Context()); err != nil {
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

func TestBackoff(t *testing.T) {
	var b Backoff
	for i, step := range []struct{ ran, want time.Duration }{
		{0, time.Second},
		{0, 2 * time.Second},
		{time.Second, 4 * time.Second},
		{0, 8 * time.Second},
		{0, 16 * time.Second},
		{0, 32 * time.Second},
		{0, time.Minute},
		{59 * time.Second, time.Minute},
		{time.Minute, time.Second},
		{0, 2 * time.Second},
	} {
		if got := b.Next(step.ran); got != step.want {
			t.Errorf("step %d, after %s: got %s; want %s", i, step.ran, got, step.want)
		}
	}
}
