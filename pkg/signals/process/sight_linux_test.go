package process

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// hold applies the level of a handover whose hold lasts so long from now, and returns its end.
func (r *rig) hold(d time.Duration) bootclock.Instant {
	r.t.Helper()
	until := r.clock.Now().Add(d)
	r.reach(leadership.Leadership{ValidUntil: until})
	return until
}

// A process that lives on as a standby says nothing while it lives, unless the pod is to end.
func TestStandbyThatLivesOnSaysNothing(t *testing.T) {
	name := unique(t)
	a := python(t, name, catchesUsr)
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: usr1, OnLost: usr2})
	r.lead("1", time.Minute)
	r.sees("leading", sight.Running, sight.Running)
	r.hold(time.Minute)
	r.sees("told its loss", sight.Unknown, sight.Running)
	a.end()
	r.sees("ended", sight.Stopped, sight.Stopped)
}

// A loss is one, also for a process that was never told the gain, as the guard was not there: nothing works for the term then.
func TestLossOfATermThatWasNotTold(t *testing.T) {
	name := unique(t)
	a := python(t, name, catchesUsr)
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: usr1, OnLost: usr2})
	r.lose()
	a.says(t, "SIGUSR2")
	r.guard.err = io.ErrClosedPipe
	r.within(20*time.Second, "the guard refuses the term", func() bool { // before, the process is given its time for the loss
		err := r.apply(r.term("1", r.clock.Now().Add(time.Minute)))
		if !errors.Is(err, io.ErrClosedPipe) && !errors.Is(err, errUntaken) {
			t.Fatalf("got %v; want an error of the guard", err)
		}
		return errors.Is(err, io.ErrClosedPipe)
	})
	r.guard.err = nil
	r.lose()
	r.sees("after the loss", sight.Unknown, sight.Running)
}

// worker waits for the pid that a worker wrote.
func (r *rig) worker(file string) (pid int) {
	r.t.Helper()
	r.within(10*time.Second, "a worker works", func() bool {
		b, _ := os.ReadFile(file)
		pid, _ = strconv.Atoi(strings.TrimSpace(string(b)))
		return pid != 0
	})
	r.t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	return pid
}

// masterThatLeaves ends at SIGTERM, and leaves a worker of another name and session, which heeds none. That one starts another
// when the file "go" is there, and ends when the file "end" is.
func masterThatLeaves(t *testing.T, name, dir string) *app {
	return python(t, name, `
dir = '`+dir+`'
def note(f): open(dir + '/' + f, 'w').write(str(os.getpid()) + '\n')
if os.fork() == 0:
    os.setsid(); signal.signal(signal.SIGTERM, signal.SIG_IGN); os.close(1); os.close(2)
    open('/proc/self/comm', 'w').write('worker')
    note('worker')
    while not os.path.exists(dir + '/go'): time.sleep(0.01)
    if os.fork() == 0:
        os.setsid(); note('second')
        while not os.path.exists(dir + '/end'): time.sleep(0.01)
        os._exit(0)
    while not os.path.exists(dir + '/leave'): time.sleep(0.01)
    os._exit(0)
while not os.path.exists(dir + '/worker'): time.sleep(0.01)
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))`)
}

func touch(t *testing.T, dir, file string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, file), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// What an ended process has left behind is seen to run, and what that has started since.
func TestWhatIsLeftBehindRuns(t *testing.T) {
	name, dir := unique(t), t.TempDir()
	a := masterThatLeaves(t, name, dir)
	r := newRig(t, Config{Target: Target{Name: name}, OnLost: term})
	r.lead("1", time.Minute)
	r.hold(time.Minute)
	r.worker(filepath.Join(dir, "worker"))
	r.within(10*time.Second, "its process ends", func() bool { return state(t, a.pid()).Over() })
	r.sees("its worker works", sight.Running, sight.Running)
	touch(t, dir, "go")
	r.worker(filepath.Join(dir, "second"))
	if err := r.stopsWithin(300 * time.Millisecond); err == nil { // it looks for what was started meanwhile
		t.Fatal("it counts as stopped while two workers work")
	}
	touch(t, dir, "leave")
	if err := r.stopsWithin(300 * time.Millisecond); err == nil {
		t.Fatal("it counts as stopped while the worker's own worker works")
	}
	touch(t, dir, "end")
	if err := r.stopsWithin(10 * time.Second); err != nil {
		t.Errorf("the end of the last is not seen: %v", err)
	}
}

// The fence kills what an ended process has left behind, and the guard knows of it.
func TestFenceKillsWhatIsLeftBehind(t *testing.T) {
	name, dir := unique(t), t.TempDir()
	a := masterThatLeaves(t, name, dir)
	r := newRig(t, Config{Target: Target{Name: name}, OnLost: term, Fence: true, KillMargin: time.Second, StopTimeout: time.Minute})
	r.looking()
	r.lead("1", time.Minute)
	worker := r.worker(filepath.Join(dir, "worker"))
	until := r.hold(1500 * time.Millisecond)
	r.within(10*time.Second, "its process ends", func() bool { return state(t, a.pid()).Over() })
	want := state(t, worker).ID
	r.within(5*time.Second, "the guard has the worker to kill", func() bool {
		o := r.guard.last()
		return o.Kill == until.Add(500*time.Millisecond) && o.Signal == syscall.SIGCONT &&
			(slices.Contains(o.Kin, want) || o.ID == want)
	})
	r.sees("its worker works", sight.Running, sight.Running)
	r.within(10*time.Second, "the worker is killed", func() bool { return state(t, worker).Over() })
	if early := r.clock.Now().Sub(until); early < 500*time.Millisecond {
		t.Errorf("killed %s after the hold's end, want half a margin", early)
	}
	r.within(5*time.Second, "it is seen", func() bool { return r.State(true) == sight.Stopped })
}

// In a handover each renewal of the hold moves the kill deadline, and the guard is told; the last one stands when the hold is
// renewed no more (I11).
func TestPlannedStopMovesTheFence(t *testing.T) {
	name := unique(t)
	a := python(t, name, ignoresTerm)
	r := newRig(t, Config{Target: Target{Name: name}, OnLost: term, Fence: true, KillMargin: time.Second, StopTimeout: time.Minute})
	guards := func(until bootclock.Instant) {
		t.Helper()
		if got, want := r.guard.last().Kill, until.Add(500*time.Millisecond); got != want {
			t.Errorf("the guard kills at %s; want %s", got, want)
		}
	}
	r.lead("1", 10*time.Second)
	guards(r.hold(12 * time.Second))
	guards(r.hold(20 * time.Second))
	last := r.hold(30 * time.Second)
	guards(last)
	r.lose()
	guards(last)
	r.hold(50 * time.Second) // of a term that began too late
	guards(last)
	r.lead("2", 10*time.Second) // another term does not move it
	guards(last)
	r.hold(2 * time.Minute)
	guards(last)
	if state(t, a.pid()).Over() {
		t.Error("it was killed")
	}
	a.end()
	python(t, name, ignoresTerm)
	r.lead("3", 10*time.Second)
	began := r.clock.Now()
	r.hold(2 * time.Minute)
	if limit := r.guard.last().Kill.Sub(began); limit < time.Minute || limit > time.Minute+10*time.Second {
		t.Errorf("the guard kills %s after the handover's begin; want the stop timeout, a minute", limit)
	}
	r.machine.kill = 0 // the test's end is not the workload's
}

// Who closes waits for the kill deadline.
func TestFinishWaitsForTheFence(t *testing.T) {
	name := unique(t)
	a := python(t, name, "signal.signal(signal.SIGTERM, signal.SIG_IGN)")
	r := newRig(t, Config{Target: Target{Name: name}, OnLost: term, Fence: true, KillMargin: time.Second, StopTimeout: time.Minute})
	r.looking()
	r.Finish(t.Context()) // of nothing
	until := r.lead("1", time.Second)
	r.lose()
	r.Finish(t.Context())
	if late := r.clock.Now().Sub(until); late < 500*time.Millisecond || !state(t, a.pid()).Over() {
		t.Errorf("returned %s after the term's end, and it has ended: %v", late, state(t, a.pid()).Over())
	}
}
