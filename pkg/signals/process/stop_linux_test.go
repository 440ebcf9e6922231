package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/internal/sight"
)

// ignoresTerm and heedsNoTerm live on: the one without noticing, the other says that it got it.
const (
	ignoresTerm = "signal.signal(signal.SIGTERM, signal.SIG_IGN); on(signal.SIGUSR1)"
	heedsNoTerm = "on(signal.SIGTERM); on(signal.SIGUSR1)"
)

// endsSlowly ends at SIGTERM once the file "end" is there in dir, and takes SIGUSR1 until then.
func endsSlowly(dir string) string {
	return heedsNoTerm + `
def finish(*_):
    say('SIGTERM')
    while not os.path.exists('` + dir + `/end'): time.sleep(0.01)
    os._exit(0)
signal.signal(signal.SIGTERM, finish)`
}

// signalled returns how many signals were sent for a leadership that leads, or not.
func (r *rig) signalled(leading string) (n int) {
	for line := range strings.Lines(r.log.String()) {
		if strings.Contains(line, "signalled the process") && strings.Contains(line, "leading="+leading) {
			n++
		}
	}
	return n
}

// A process that got its stop, as a standby's does, gets no gain: the one that follows it does.
func TestGainIsForTheSuccessor(t *testing.T) {
	for _, fence := range []bool{false, true} {
		t.Run(fmt.Sprintf("fence %v", fence), func(t *testing.T) {
			name, dir := unique(t), t.TempDir()
			a := python(t, name, endsSlowly(dir))
			r := newRig(t, Config{
				Target: Target{Name: name}, OnElected: usr1, OnLost: term, Fence: fence, KillMargin: 2 * time.Minute, StopTimeout: time.Minute,
			})
			r.looking()
			r.lose()
			a.says(t, "SIGTERM")
			order := r.guard.last()
			r.lead("1", time.Hour)
			r.lead("1", 2*time.Hour) // renewed
			if n := r.signalled("true"); n != 0 {
				t.Fatalf("%d gains sent to a process that got its stop\n%s", n, r.log)
			}
			if got := r.guard.last(); !got.Equal(order) {
				t.Errorf("the guard has %+v; want %+v: the kill deadline stands", got, order)
			}
			r.sees("it ends", sight.Running, sight.Running)
			touch(t, dir, "end")
			<-a.over
			r.within(20*time.Second, "its end is seen", func() bool { return strings.Contains(r.log.String(), "the process has ended") })
			r.sees("it has ended", sight.Unknown, sight.Unknown)
			b := python(t, name, endsSlowly(t.TempDir()))
			b.says(t, "SIGUSR1")
			if n := len(r.crashes); n != 0 {
				t.Errorf("%d crashes reported of a process that ended at its stop", n)
			}
			if late := a.heard(time.Millisecond); len(late) != 0 {
				t.Errorf("the first one heard %q after its stop", late)
			}
			b.end()
			r.within(20*time.Second, "the leader's crash is reported", func() bool { return len(r.crashes) == 1 })
		})
	}
}

// A process that starts a worker at its gain, and crashes soon after, leaves work behind that is nobody's:
// it is seen to run, in a handover too, also where a new process has come that would live on as a standby.
func TestWorkersOfACrashRun(t *testing.T) {
	name, dir := unique(t), t.TempDir()
	// The worker bears another name, so that nothing but its descent shows whose it is.
	body := `
def hire(*_):
    while not os.path.exists('` + dir + `/go'): time.sleep(0.01)
    if os.fork() == 0:
        os.setsid(); os.close(1); os.close(2)
        open('/proc/self/comm', 'w').write('worker')
        open('` + dir + `/worker', 'w').write(str(os.getpid()) + '\n')
        for _ in range(3000): time.sleep(0.01)
        os._exit(0)
signal.signal(signal.SIGUSR1, hire); on(signal.SIGUSR2)`
	pidFile := filepath.Join(dir, "pid")
	write := func(pid int) {
		if err := os.WriteFile(pidFile, fmt.Appendln(nil, pid), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a := python(t, name, body)
	write(a.pid())
	r := newRig(t, Config{Target: Target{PIDFile: pidFile}, OnElected: usr1, OnLost: usr2})
	r.lead("1", time.Minute)
	turned := r.turned
	r.looking()
	<-turned // it has looked once, before there is a worker
	touch(t, dir, "go")
	worker := r.worker(filepath.Join(dir, "worker"))
	time.Sleep(4 * lookSoon) // less than a look of an idle process takes to come
	a.end()
	r.within(10*time.Second, "the crash is seen", func() bool { return len(r.crashes) > 0 })
	r.sees("crashed while it led", sight.Running, sight.Running)
	r.hold(time.Minute)
	r.sees("in the handover", sight.Running, sight.Running)
	b := python(t, name, body)
	write(b.pid())
	b.says(t, "SIGUSR2")
	r.sees("a new process stands by", sight.Running, sight.Running)
	if err := syscall.Kill(worker, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	r.within(5*time.Second, "the worker's end is seen", func() bool { return r.State(false) == sight.Stopped })
}

// TestDrainOfATermThatNeverBegan: a restarted sidecar resumes a term only to hand it over, and no leadership says that it leads. The
// process works for that term, whatever signal it got here, and has not stopped before it has ended or is parked.
func TestDrainOfATermThatNeverBegan(t *testing.T) {
	for _, c := range []struct {
		how     string
		body    string
		cfg     Config
		plain   sight.State // while it lives, of a pod that does not end
		standby bool        // it got its loss before
	}{
		{"gets its stop", heedsNoTerm, Config{OnLost: term}, sight.Running, false},
		{"gets its stop again", heedsNoTerm, Config{OnLost: term}, sight.Running, true},
		{"gets its loss", catchesUsr, Config{OnElected: usr1, OnLost: usr2}, sight.Unknown, false},
		{"gets its loss again", catchesUsr, Config{OnElected: usr1, OnLost: usr2}, sight.Unknown, true},
		{"gets no loss", catchesUsr, Config{OnElected: usr1}, sight.Unknown, false},
		{"fenced", ignoresTerm, Config{OnLost: term, Fence: true, KillMargin: time.Minute, StopTimeout: time.Minute}, sight.Running, false},
	} {
		t.Run(c.how, func(t *testing.T) {
			name := unique(t)
			a := python(t, name, c.body)
			c.cfg.Target.Name = name
			r := newRig(t, c.cfg)
			if c.standby {
				r.lose()
			}
			r.hold(time.Minute)
			r.sees("it lives", c.plain, sight.Running)
			r.hold(2 * time.Minute)
			r.sees("the hold was renewed", c.plain, sight.Running)
			a.end()
			r.sees("it has ended", sight.Stopped, sight.Stopped)
		})
	}
}

// A process that is found only in such a handover counts, too: before, nothing is known of the work.
func TestProcessIsFoundInADrain(t *testing.T) {
	name := unique(t)
	first := python(t, name, catchesUsr)
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: usr1, OnLost: usr2})
	r.lose()
	first.end()
	r.lose()
	r.within(5*time.Second, "its end is seen", func() bool { r.lose(); return r.machine.held == nil })
	r.hold(time.Minute)
	r.sees("nobody is there", sight.Unknown, sight.Unknown)
	a := python(t, name, catchesUsr)
	r.hold(time.Minute)
	r.sees("one has come", sight.Unknown, sight.Running)
	a.end()
	r.sees("it has ended", sight.Stopped, sight.Stopped)
}

// TestParkedInADrainOfATermThatNeverBegan has stopped once it is parked, and not before.
func TestParkedInADrainOfATermThatNeverBegan(t *testing.T) {
	name := unique(t)
	python(t, name, "")
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: cont, OnLost: stop})
	r.hold(time.Minute)
	r.within(5*time.Second, "it is parked", func() bool { return r.State(false) == sight.Stopped })
	if err := procfs.Send(r.machine.held.ID, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	r.within(5*time.Second, "it works on", func() bool { return r.State(false) == sight.Running })
}
