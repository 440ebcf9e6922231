package process

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/guard/guardtest"
	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// hold applies the leadership of a handover whose hold lasts so long from now, and returns its end.
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
	r.sees("it got its loss", sight.Unknown, sight.Running)
	a.end()
	r.sees("ended", sight.Stopped, sight.Stopped)
}

// A loss is one, also for a process that never got the gain, as the guard was not there: nothing works for the term then.
func TestLossOfATermThatWasNotSignalled(t *testing.T) {
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
	pid = guardtest.PID(r.t, file)
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
    os.setsid(); signal.signal(signal.SIGTERM, lambda *_: None); os.close(1); os.close(2)
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

// fallenClock is behind the machine's by as much.
type fallenClock struct {
	bootclock.System
	by time.Duration
}

func (c fallenClock) Now() bootclock.Instant { return c.System.Now().Add(-c.by) }

func (c fallenClock) NewTimer() bootclock.Timer { return bootclock.NewPolledTimer(c.Now, 0) }

// TestGainLeavesALossItsTime makes the wait between the two longer than any slow machine takes without it: the clock
// falls back by 3 s after the loss.
func TestGainLeavesALossItsTime(t *testing.T) {
	name := unique(t)
	a := python(t, name, catchesUsr)
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: usr1, OnLost: usr2})
	r.lose()
	r.cfg.Clock = fallenClock{by: 3 * time.Second}
	before := time.Now()
	r.lead("1", time.Minute)
	if spaced := time.Since(before); spaced < 2500*time.Millisecond {
		t.Errorf("a gain followed a loss after %v; want about 3 s, by a clock that fell back so far", spaced)
	}
	a.says(t, "SIGUSR2")
	a.says(t, "SIGUSR1")
}

// A worker that a sight sees while /proc is read is not in what was read: it stays in the work all the same.
func TestLookThatIsTooOldDropsNobody(t *testing.T) {
	m := newMachine(Config{Target: Target{Name: "web"}, OnLost: term})
	m.lead(leadership.Leadership{}, transcriptBoot)
	m.everFound, m.work = true, []procfs.Process{process(7, 1, "web")}
	out, err := m.decide(view{now: transcriptBoot})
	if err != nil || out.action.kind != lookNow {
		t.Fatalf("got %s, %v; want a look", out.action.kind, err)
	}
	read := look{table: procfs.Table{7: process(7, 1, "web")}, findErr: errNone}
	m.addSeen([]procfs.Process{process(8, 7, "worker")})
	out, err = m.decide(view{now: transcriptBoot, answer: answer{of: lookNow, look: read}})
	if err != nil || out.action.kind != lookNow || !out.action.find {
		t.Errorf("got %s, %v; want the same look once more", out.action.kind, err)
	}
	if !contains(m.work, procfs.ID{PID: 8}) {
		t.Errorf("the work is %v; want the worker in it", m.work)
	}
}

// A process that started after /proc was read, and before the loss, is not in what was read: the loss is for it all the same.
func TestLossLooksAnew(t *testing.T) {
	m := newMachine(Config{Target: Target{Name: "web"}, OnLost: stop})
	l := leadership.Leadership{Token: "1", IsLeader: true, ValidUntil: transcriptBoot.Add(time.Minute)}
	m.lead(l, transcriptBoot)
	out, err := m.decide(view{now: transcriptBoot})
	if err != nil || out.action.kind != lookNow {
		t.Fatalf("got %s, %v; want a look", out.action.kind, err)
	}
	read := look{table: procfs.Table{}, findErr: errNone}
	m.lead(leadership.Leadership{}, transcriptBoot)
	out, err = m.decide(view{now: transcriptBoot, answer: answer{of: lookNow, look: read}})
	if err != nil || out.action.kind != lookNow || !out.action.find || out.turned {
		t.Errorf("got %s, %v, turned %t; want the same look once more", out.action.kind, err, out.turned)
	}
}
