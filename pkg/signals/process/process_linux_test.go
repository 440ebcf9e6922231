package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

func TestMain(m *testing.M) {
	if target := os.Getenv(strangerEnv); target != "" {
		os.Exit(stranger(target))
	}
	defaultDispositions()
	goleak.VerifyTestMain(m)
}

// defaultDispositions has the children of the tests find every signal at its default, also where the tests run under nohup or in a
// shell's background: a child inherits what is ignored, but not what is caught. The Go runtime catches all others by itself.
func defaultDispositions() {
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGINT} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
}

const (
	usr1 Signo = 10
	usr2 Signo = 12
)

// unique returns a name that no other process of this machine bears, and that fits a comm.
func unique(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("t%d-%d", os.Getpid(), serial())
}

var serial = func() func() int {
	var mu sync.Mutex
	n := 0
	return func() int { mu.Lock(); defer mu.Unlock(); n++; return n }
}()

// tool returns where a program is; the tests need it.
func tool(t *testing.T, name string) string {
	t.Helper()
	found, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v: this test drives the real program: apt-get install nginx-light redis-server python3", err)
	}
	return found
}

// app is a program that runs for a test, with the lines that it prints.
type app struct {
	*exec.Cmd
	lines chan string
	over  chan struct{}
}

func (a *app) pid() int { return a.Process.Pid }

// start runs a command until the test ends, or it is killed.
func start(t *testing.T, cmd *exec.Cmd) *app {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	a := &app{Cmd: cmd, lines: make(chan string, 1000), over: make(chan struct{})}
	go func() {
		defer close(a.over)
		for s := bufio.NewScanner(out); s.Scan(); {
			a.lines <- s.Text()
		}
		_ = cmd.Wait()
	}()
	t.Cleanup(func() { a.end() })
	return a
}

// end kills the program and its group, and waits.
func (a *app) end() {
	_ = syscall.Kill(-a.pid(), syscall.SIGKILL)
	<-a.over
}

// says waits for a line with the text, and returns those before it.
func (a *app) says(t *testing.T, text string) (before []string) {
	t.Helper()
	late := time.After(10 * time.Second)
	for {
		select {
		case line := <-a.lines:
			if strings.Contains(line, text) {
				return before
			}
			before = append(before, line)
		case <-late:
			t.Fatalf("not heard in 10 s: %q; heard %q", text, before)
		}
	}
}

// python runs a python3 program by the name; it prints the names of signals that it catches, and "ready" first. A signal
// that comes just before a sleep is handled after it, so the sleeps are short.
func python(t *testing.T, name, body string) *app {
	t.Helper()
	code := "import os, signal, sys, time\n" +
		"def say(s): os.write(1, (s + '\\n').encode())\n" + // at once, also amid another
		"def on(n): signal.signal(n, lambda n, _: say(signal.Signals(n).name))\n" +
		body + "\nsay('ready')\nwhile True: time.sleep(0.02)\n"
	cmd := exec.Command(tool(t, "/usr/bin/python3"), "-c", code)
	cmd.Args[0] = name
	a := start(t, cmd)
	for _, early := range a.says(t, "ready") { // it may be told as soon as it catches its signals
		a.lines <- early
	}
	return a
}

const catchesUsr = "on(signal.SIGUSR1); on(signal.SIGUSR2)"

// rig is a Process under test, with its log and its guard.
type rig struct {
	*Process
	t       *testing.T
	log     *journal
	guard   *book
	crashes chan struct{}
	clock   bootclock.System
	closed  bool // by the test
}

type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// book is a Guard that writes down what it is told. The guard process itself is tested where it lives, and with it in
// test/workload.
type book struct {
	mu     sync.Mutex
	orders []procfs.Order
	err    error
}

func (b *book) Arm(o procfs.Order) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.orders = append(b.orders, o)
	return b.err
}

func (b *book) Close() error { return nil }

func (b *book) last() procfs.Order {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.orders) == 0 {
		return procfs.Order{}
	}
	return b.orders[len(b.orders)-1]
}

// newRig makes a Process that is not looking yet.
func newRig(t *testing.T, cfg Config) *rig {
	t.Helper()
	r := &rig{t: t, log: &journal{}, guard: &book{}, crashes: make(chan struct{}, 10)}
	cfg.Clock, cfg.Log = r.clock, slog.New(slog.NewTextHandler(io.MultiWriter(r.log), nil))
	cfg.Crashed = func() { r.crashes <- struct{}{} }
	p, err := newProcess(cfg, r.guard)
	if err != nil {
		t.Fatal(err)
	}
	r.Process = p
	t.Cleanup(func() {
		if r.closed {
			return
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// looking starts Run until the test ends.
func (r *rig) looking() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = r.Run(ctx) }()
	r.t.Cleanup(func() { cancel(); <-done })
}

// lead applies a term that is valid for d from now, and returns its end.
func (r *rig) lead(token string, d time.Duration) bootclock.Instant {
	r.t.Helper()
	until := r.clock.Now().Add(d)
	r.reach(r.term(token, until))
	return until
}

func (r *rig) term(token string, until bootclock.Instant) leadership.Leadership {
	return leadership.Leadership{IsLeader: true, Token: token, ValidUntil: until, Since: time.Now(), ValidUntilWall: time.Now()}
}

func (r *rig) lose() {
	r.t.Helper()
	r.reach(leadership.Leadership{})
}

// reach tells a level, again for as long as the process has not taken the signal before, as a lane does.
func (r *rig) reach(l leadership.Leadership) {
	r.t.Helper()
	r.within(20*time.Second, "the process takes its signals", func() bool {
		err := r.apply(l)
		if err != nil && !errors.Is(err, errUntaken) {
			r.t.Fatalf("tell that it leads (%v): %v", l.IsLeader, err)
		}
		return err == nil
	})
}

func (r *rig) apply(l leadership.Leadership) error { return r.Apply(r.t.Context(), l) }

// within waits until something is so.
func (r *rig) within(d time.Duration, what string, so func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(d); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if so() {
			return
		}
	}
	r.t.Fatalf("not within %s: %s\n%s", d, what, r.log)
}

func (r *rig) stopsWithin(d time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	changed, left := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(left)
		r.Watch(ctx, func() {
			select {
			case changed <- struct{}{}:
			default:
			}
		})
	}()
	defer func() { cancel(); <-left }()
	for r.State(false) != sight.Stopped {
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// sees checks the state, of a pod that is not to end and of one that is.
func (r *rig) sees(what string, state, ending sight.State) {
	r.t.Helper()
	if got, gotEnding := r.State(false), r.State(true); got != state || gotEnding != ending {
		r.t.Errorf("%s: %s, and %s where the pod is to end; want %s and %s", what, got, gotEnding, state, ending)
	}
}

func state(t *testing.T, pid int) procfs.Process {
	t.Helper()
	e, err := procfs.ReadProcess(pid)
	if err != nil {
		return procfs.Process{State: 'X'}
	}
	return e
}

func writePID(t *testing.T, pid int) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "app.pid")
	if err := os.WriteFile(file, fmt.Appendln(nil, pid), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestLevelsReachTheProcessOnce(t *testing.T) {
	name := unique(t)
	a := python(t, name, catchesUsr)
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: usr1, OnLost: usr2})
	r.lose()
	a.says(t, "SIGUSR2")
	until := r.lead("1", time.Minute)
	a.says(t, "SIGUSR1")
	want := procfs.Order{ID: state(t, a.pid()).ID, Deadline: until, Signal: syscall.Signal(usr2), Gain: syscall.Signal(usr1)}
	if got := r.guard.last(); !got.Equal(want) {
		t.Errorf("the guard has %+v; want %+v", got, want)
	}
	if until = r.lead("1", 2*time.Minute); r.guard.last().Deadline != until {
		t.Error("a renewal did not move the guard's deadline")
	}
	// One at a time: signals that wait together are handled in no order.
	hears := func(want string) {
		t.Helper()
		if got := <-a.lines; got != want {
			t.Errorf("got %s; want %s: a level is told once", got, want)
		}
	}
	r.lead("2", time.Minute) // a new term without a gap
	hears("SIGUSR1")
	r.lose()
	r.lose()
	hears("SIGUSR2")
	if got := r.guard.last(); !got.Equal(procfs.Order{}) {
		t.Errorf("the guard has %+v after the loss; want nothing", got)
	}
	r.lead("3", time.Minute)
	hears("SIGUSR1")
}

// A loss has its time before a gain follows: two signals that wait together are handled by their numbers, so the loss
// could come last.
func TestGainDoesNotOvertakeALoss(t *testing.T) {
	name := unique(t)
	a := python(t, name, catchesUsr)
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: usr1, OnLost: usr2})
	before := r.clock.Now()
	r.lose()
	r.lead("1", time.Minute)
	if spaced := r.clock.Now().Sub(before); spaced < gainAfterLoss {
		t.Errorf("a gain followed a loss after %v; want at least %v", spaced, gainAfterLoss)
	}
	if m, err := procfs.ReadSignals(a.pid()); err != nil || m.Pending.Has(syscall.Signal(usr2)) {
		t.Errorf("the gain was sent while the loss lay in wait (%v)", err)
	}
	a.says(t, "SIGUSR2")
	a.says(t, "SIGUSR1")
}

// A process that came later is told the level that holds then, and its crash while leading is told, once.
func TestRestartedProcessIsToldTheLevel(t *testing.T) {
	name := unique(t)
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: usr1, OnLost: usr2})
	r.looking()
	r.lose()
	r.sees("nothing found yet", sight.Unknown, sight.Unknown)
	a := python(t, name, catchesUsr)
	a.says(t, "SIGUSR2")
	r.lead("1", time.Minute)
	a.says(t, "SIGUSR1")
	a.end()
	<-r.crashes
	b := python(t, name, catchesUsr)
	b.says(t, "SIGUSR1")
	r.lose()
	b.says(t, "SIGUSR2")
	b.end()
	r.within(5*time.Second, "its end is noted", func() bool { return strings.Count(r.log.String(), "the process has ended") == 2 })
	c := python(t, name, catchesUsr)
	c.says(t, "SIGUSR2")
	if n := len(r.crashes); n != 0 {
		t.Errorf("%d crashes told while standing by", n)
	}
}

func TestTermThatHasRunOutIsALoss(t *testing.T) {
	name := unique(t)
	a := python(t, name, catchesUsr)
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: usr1, OnLost: usr2})
	if err := r.apply(r.term("1", r.clock.Now())); err != nil {
		t.Fatal(err)
	}
	if got := <-a.lines; got != "SIGUSR2" {
		t.Errorf("got %s by a level that came late; want SIGUSR2", got)
	}
}

// A guard that cannot be armed would leave a frozen sidecar's word standing: then nobody is told that he leads.
func TestNobodyLeadsWithoutTheGuard(t *testing.T) {
	name := unique(t)
	a := python(t, name, catchesUsr)
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: usr1, OnLost: usr2})
	r.guard.err = io.ErrClosedPipe
	if err := r.apply(r.term("1", r.clock.Now().Add(time.Minute))); err == nil || !strings.Contains(err.Error(), "guard") {
		t.Errorf("got %v; want an error of the guard", err)
	}
	r.guard.err = nil
	r.lose()
	if got := <-a.lines; got != "SIGUSR2" {
		t.Errorf("got %s; want SIGUSR2 and nothing before", got)
	}
}

// The guard may have acted on a deadline that was moved too late: then the process is told again that it leads.
func TestAGuardThatWasFasterIsMended(t *testing.T) {
	name := unique(t)
	a := python(t, name, catchesUsr)
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: usr1, OnLost: usr2})
	until := r.lead("1", 300*time.Millisecond)
	a.says(t, "SIGUSR1")
	r.within(time.Second, "the deadline has passed", func() bool { return !r.clock.Now().Before(until) })
	r.lead("1", time.Minute)
	a.says(t, "SIGUSR1")
}

func TestParkingStopsAndProves(t *testing.T) {
	name := unique(t)
	a := python(t, name, "") // catches nothing: any program will do
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: cont, OnLost: stop})
	r.lose()
	r.within(time.Second, "it is parked", func() bool { return state(t, a.pid()).Stopped() })
	r.lead("1", time.Minute)
	r.within(time.Second, "it runs", func() bool { return !state(t, a.pid()).Stopped() })
	if err := r.stopsWithin(50 * time.Millisecond); err == nil {
		t.Error("it counts as stopped while it leads")
	}
	r.lose()
	if err := r.stopsWithin(time.Second); err != nil {
		t.Errorf("parked, it does not count as stopped: %v", err)
	}
	r.sees("parked", sight.Stopped, sight.Stopped)
}

// leavesADaemon ends at SIGTERM, and leaves a process of another name and session, which ignores that. Its pid is in the file "daemon".
func leavesADaemon(dir string) string {
	return `
child = os.fork()
if child == 0:
    os.setsid(); signal.signal(signal.SIGTERM, signal.SIG_IGN); os.close(1); os.close(2)
    open('` + dir + `/daemon', 'w').write(str(os.getpid()) + '\n')
    os.execv('/bin/sleep', ['sleep', '600'])
while open('/proc/%d/comm' % child).read() != 'sleep\n': time.sleep(0.01)
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))`
}

// The end is seen with all that the process had started.
func TestStoppedWaitsForTheWholeFamily(t *testing.T) {
	name, dir := unique(t), t.TempDir()
	a := python(t, name, leavesADaemon(dir))
	r := newRig(t, Config{Target: Target{Name: name}, OnLost: term})
	r.lead("1", time.Minute)
	daemon := r.worker(filepath.Join(dir, "daemon"))
	r.sees("a process that leads", sight.Running, sight.Running)
	r.lose()
	r.within(20*time.Second, "its first process ends", func() bool { return state(t, a.pid()).Over() })
	r.sees("its daemon works", sight.Running, sight.Running)
	if err := r.stopsWithin(100 * time.Millisecond); err == nil {
		t.Error("it counts as stopped while its daemon works")
	}
	if err := syscall.Kill(daemon, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := r.stopsWithin(20 * time.Second); err != nil {
		t.Errorf("the daemon's end is not seen: %v", err)
	}
}

// What ignores its stop is killed at the kill deadline with all that it has started, not before and not much later.
func TestFenceKillsTheFamilyInTime(t *testing.T) {
	name := unique(t)
	a := python(t, name, `
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child == 0:
    os.setsid()
    os.execv('/bin/sleep', ['sleep', '60'])
time.sleep(0.2)`)
	family, err := procfs.Read()
	if err != nil {
		t.Fatal(err)
	}
	members := family.Family(a.pid())
	if len(members) != 2 {
		t.Fatalf("the family is %v; want two", members)
	}
	r := newRig(t, Config{Target: Target{Name: name}, OnLost: term, Fence: true, KillMargin: time.Second})
	r.looking()
	until := r.lead("1", 300*time.Millisecond)
	if got, want := r.guard.last().Kill, until.Add(500*time.Millisecond); got != want {
		t.Errorf("the guard kills at %s; want %s", got, want)
	}
	r.lose()
	if got := r.guard.last(); got.Kill != until.Add(500*time.Millisecond) || got.Signal != syscall.SIGCONT {
		t.Errorf("after the loss the guard has %+v; want the kill deadline and no signal that matters", got)
	}
	r.sees("a process that ignores its stop", sight.Running, sight.Running)
	r.within(5*time.Second, "all are gone", func() bool {
		gone := state(t, a.pid()).Over() && state(t, members[1].PID).Over()
		if gone && r.clock.Now().Before(until.Add(500*time.Millisecond)) {
			t.Fatal("killed before the kill deadline")
		}
		return gone
	})
	if err := r.stopsWithin(time.Second); err != nil {
		t.Errorf("killed, it does not count as stopped: %v", err)
	}
}

// Who wakes late kills at once.
func TestFencePastItsDeadlineStrikesAtOnce(t *testing.T) {
	name := unique(t)
	a := python(t, name, "signal.signal(signal.SIGTERM, signal.SIG_IGN)")
	r := newRig(t, Config{Target: Target{Name: name}, OnLost: term, Fence: true, KillMargin: 200 * time.Millisecond})
	until := r.lead("1", 50*time.Millisecond)
	r.within(time.Second, "the kill deadline has passed", func() bool { return until.Add(100 * time.Millisecond).Before(r.clock.Now()) })
	r.looking() // frozen until now, as it were
	r.lose()
	r.within(2*time.Second, "it is killed", func() bool { return state(t, a.pid()).Over() })
}

// A master that is killed leaves workers at work, which bear its name: they are told, and waited for.
func TestOrphansOfACrashAreEnded(t *testing.T) {
	name := unique(t)
	a := python(t, name, `
for _ in range(2):
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        while True: time.sleep(60)
time.sleep(0.2)`)
	r := newRig(t, Config{Target: Target{Name: name}, OnLost: term})
	r.lead("1", time.Minute)
	if err := a.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	r.within(5*time.Second, "its end is seen", func() bool {
		_ = r.apply(r.term("1", r.clock.Now().Add(time.Minute)))
		return len(r.Process.crashes) > 0
	})
	_ = r.apply(leadership.Leadership{}) // it says that there are two
	if err := r.stopsWithin(5 * time.Second); err != nil {
		t.Errorf("the workers work on: %v", err)
	}
	r.lose()
}

func TestIdleLookingCostsNextToNothing(t *testing.T) {
	name := unique(t)
	python(t, name, catchesUsr)
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: usr1, OnLost: usr2})
	r.lead("1", time.Hour)
	r.machine.gained, r.machine.nextLook = r.machine.gained.Add(-soonFor), 0 // a term that has just begun is looked at often
	cost := startMeter()
	out, err := r.act(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	took := cost.read()
	if pause := out.next.Sub(r.clock.Now()); pause < lookPause/2 || pause < lookMax/2 && pause < 900*took {
		t.Errorf("the look took %s, and the next is in %s: that is more than 0.1 %% of a core", took, pause)
	}
}

func BenchmarkLook(b *testing.B) {
	target := Target{Name: "nobody-is-called-so"}
	for b.Loop() {
		all, err := procfs.Read()
		if err != nil {
			b.Fatal(err)
		}
		_, _, _ = target.find(all)
		b.ReportMetric(float64(len(all)), "processes")
	}
}
