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
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lease-sidecar/lease-sidecar/internal/guard/guardtest"
	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

func TestMain(m *testing.M) {
	if target := os.Getenv(strangerEnv); target != "" {
		os.Exit(stranger(target))
	}
	guardtest.DefaultSignals()
	goleak.VerifyTestMain(m)
}

const (
	usr1 Signo = 10
	usr2 Signo = 12
)

// unique returns a name that no other process of this machine has, and that a comm has room for.
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
	for _, early := range a.says(t, "ready") { // it may get them as soon as it catches its signals
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

// book is an armer that writes down its orders. The guard process itself is tested where it lives, and with it in
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
	go func() { defer close(done); r.Run(ctx) }()
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

// reach applies a leadership, again for as long as the process has not taken the signal before, as a lane does.
func (r *rig) reach(l leadership.Leadership) {
	r.t.Helper()
	r.within(20*time.Second, "the process takes its signals", func() bool {
		err := r.apply(l)
		if err != nil && !errors.Is(err, errUntaken) {
			r.t.Fatalf("apply a leadership that leads (%v): %v", l.IsLeader, err)
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
