package child

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/internal/guard/guardtest"
	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/internal/sight/sighttest"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// TestMain makes this binary its own guard, as the command is.
func TestMain(m *testing.M) {
	guardtest.GuardItself(guard.Invoked, guard.Main)
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

// textLog keeps what the child logs.
type textLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *textLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *textLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// fixture is a child with a real guard, and the election that it commands.
type fixture struct {
	*Child
	*election
	*sighttest.Events
	t    *testing.T
	dir  string
	log  *textLog
	stop func() // ends Run, and returns once it has

	main, daemon int // pids of the stubborn program
}

func run(t *testing.T, script string) *fixture {
	t.Helper()
	f := &fixture{t: t, dir: t.TempDir(), log: &textLog{}, election: &election{}, Events: sighttest.NewEvents()}
	t.Setenv("DIR", f.dir)
	var err error
	f.Child, err = New(Config{
		Command: []string{"sh", "-c", script}, KillMargin: margin, StopTimeout: stopTimeout, Clock: bootclock.System{},
		Election: f.election, Log: slog.New(slog.NewTextHandler(f.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { f.Run(ctx) })
	running.Go(func() { f.Watch(ctx, f.Changed) })
	f.stop = func() { cancel(); running.Wait() }
	t.Cleanup(func() {
		f.stop()
		f.Abandon()
		f.Close()
	})
	return f
}

// runStubborn runs a program that heeds no SIGTERM, with a daemon like it, for a term that ends so long from now.
func runStubborn(t *testing.T, left time.Duration) (f *fixture, until bootclock.Instant) {
	t.Helper()
	f = run(t, stubborn)
	l := leads("7", left)
	f.apply(l)
	f.main, f.daemon = f.pid("7"), f.pid("daemon")
	return f, l.ValidUntil
}

// lives reports whether the stubborn program lives, or its daemon.
func (f *fixture) lives() bool { return guardtest.Lives(f.main) || guardtest.Lives(f.daemon) }

// leads is the leadership of a term that ends so long from now.
func leads(token string, left time.Duration) leadership.Leadership {
	l := sample()
	l.Token, l.ValidUntil = token, bootclock.System{}.Now().Add(left)
	return l
}

// drains is the leadership in a handover whose hold lasts so long from now.
func drains(left time.Duration) leadership.Leadership {
	l := leads("", left)
	l.IsLeader, l.Since = false, time.Time{}
	return l
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
	guardtest.Within(f.t, fmt.Sprintf("%d ends", count), func() bool {
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

func (f *fixture) pid(name string) int {
	f.t.Helper()
	return guardtest.PID(f.t, filepath.Join(f.dir, name))
}

// wantsStopped waits until the command and all its descendants are seen to have stopped.
func (f *fixture) wantsStopped() {
	f.t.Helper()
	f.Wants(f.t, sight.Stopped, func() sight.State { return f.State(false) })
}

func (f *fixture) signalGuard(s syscall.Signal) {
	f.t.Helper()
	f.Child.mu.Lock()
	defer f.Child.mu.Unlock()
	if err := syscall.Kill(f.guard.PID(), s); err != nil {
		f.t.Fatal(err)
	}
}

const obedient = `trap 'sleep 0.2; exit 0' TERM; echo $$ >$DIR/$LEADERSHIP_TOKEN; while :; do sleep 0.02; done`

const stubborn = `trap '' TERM; setsid sh -c 'trap "" TERM; echo $$ >$DIR/daemon; while :; do sleep 0.05; done' &
echo $$ >$DIR/$LEADERSHIP_TOKEN; while :; do sleep 0.05; done`
