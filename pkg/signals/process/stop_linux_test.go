package process

import (
	"fmt"
	"os"
	"os/exec"
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

// goesSlowly is a Go program that does the same.
func goesSlowly(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "slow")
	out, err := exec.Command(tool(t, "go"), "build", "-o", binary, "./testdata/slow").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return binary
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
	slow := goesSlowly(t)
	programs := map[string]func(t *testing.T, name, dir string) *app{
		"Python": func(t *testing.T, name, dir string) *app { return python(t, name, endsSlowly(dir)) },
		"Go": func(t *testing.T, name, dir string) *app {
			cmd := exec.Command(slow, filepath.Join(dir, "end"))
			cmd.Args[0] = name
			a := start(t, cmd)
			a.says(t, "ready")
			return a
		},
	}
	for program, run := range programs {
		for _, fence := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, fence %v", program, fence), func(t *testing.T) {
				name, dir := unique(t), t.TempDir()
				a := run(t, name, dir)
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
				b := run(t, name, t.TempDir())
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
}

// A new term does not take the kill deadline from the last one's process.
func TestNewTermKeepsTheKillDeadline(t *testing.T) {
	name := unique(t)
	a := python(t, name, ignoresTerm)
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: usr1, OnLost: term, Fence: true, KillMargin: 4 * time.Second, StopTimeout: time.Minute})
	r.looking()
	until := r.lead("1", time.Second)
	a.says(t, "SIGUSR1")
	r.lose()
	r.lead("2", time.Hour)
	r.within(20*time.Second, "it is killed", func() bool { return state(t, a.pid()).Over() })
	if early := r.clock.Now().Sub(until); early < 2*time.Second {
		t.Errorf("killed %s after the term's end, want half a kill margin, 2 s", early)
	}
	b := python(t, name, ignoresTerm)
	b.says(t, "SIGUSR1")
	r.within(20*time.Second, "the log has a gain for each process", func() bool { return r.signalled("true") == 2 })
	if crashes := len(r.crashes); crashes != 0 {
		t.Errorf("%d crashes; want none", crashes)
	}
}

// A process that follows waits for what the fence has to kill of the last one's work, and is not killed with it.
func TestSuccessorWaitsForTheFence(t *testing.T) {
	name, dir := unique(t), t.TempDir()
	a := python(t, name, leavesADaemon(dir)+"; on(signal.SIGUSR1)")
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: usr1, OnLost: term, Fence: true, KillMargin: 6 * time.Second, StopTimeout: time.Minute})
	r.lead("1", time.Second)
	a.says(t, "SIGUSR1")
	worker := r.worker(filepath.Join(dir, "daemon"))
	r.lose()
	r.within(20*time.Second, "its process ends", func() bool { return state(t, a.pid()).Over() })
	b := python(t, name, heedsNoTerm)
	r.lead("2", time.Hour)
	r.looking() // only now, or the new process may get the last term's loss first
	if n := r.signalled("true"); n != 1 || state(t, worker).Over() {
		t.Errorf("%d gains sent, want the first alone, while the last term's worker works (it has ended: %v)", n, state(t, worker).Over())
	}
	r.sees("the worker works", sight.Running, sight.Running)
	b.says(t, "SIGUSR1")
	if !state(t, worker).Over() {
		t.Error("the worker of the last term works on in the next one")
	}
	if state(t, b.pid()).Over() {
		t.Error("the new process was killed with the last one's worker")
	}
}

// A process that takes its stop and lives on has no successor: after the stop timeout it gets the gain, and the log says so.
func TestProcessThatOutlivesItsStopGetsTheGain(t *testing.T) {
	name := unique(t)
	a := python(t, name, heedsNoTerm)
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: usr1, OnLost: term, StopTimeout: 3 * time.Second})
	r.looking()
	r.lose()
	stopped := r.clock.Now()
	a.says(t, "SIGTERM")
	r.lead("1", time.Hour)
	a.says(t, "SIGUSR1")
	if early := r.clock.Now().Sub(stopped); early < 2900*time.Millisecond {
		t.Errorf("got the gain %s after its stop; want the stop timeout, 3 s", early)
	}
	wantText(t, r.log.String(), "reason=ProcessEnding", "reason=ProcessOutlivedStop")
	a.end()
	r.within(20*time.Second, "its crash is reported", func() bool { return len(r.crashes) == 1 })
}

// A stop that a frozen process has not taken says nothing: it has its time once it runs.
func TestFrozenProcessHasNotOutlivedItsStop(t *testing.T) {
	name := unique(t)
	a := python(t, name, endsSlowly(t.TempDir()))
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: usr1, OnLost: term, StopTimeout: 3 * time.Second})
	wake := a.freeze(t)
	r.lose()
	r.mu.Lock()
	r.cfg.Clock = fallenClock{by: -time.Hour} // an hour later
	r.mu.Unlock()
	r.reach(r.term("1", r.cfg.Clock.Now().Add(time.Hour)))
	wake()
	a.says(t, "SIGTERM")
	r.reach(r.term("1", r.cfg.Clock.Now().Add(time.Hour)))
	if n := r.signalled("true"); n != 0 {
		t.Errorf("%d gains sent to a process that has just taken its stop", n)
	}
}

// A process that got its stop from the guard, as this program was late, is going away, too; its kill deadline stands.
func TestGuardsStopHoldsAGainBack(t *testing.T) {
	name := unique(t)
	a := python(t, name, heedsNoTerm)
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: usr1, OnLost: term, Fence: true, KillMargin: 4 * time.Second, StopTimeout: time.Minute})
	until := r.lead("1", 300*time.Millisecond)
	a.says(t, "SIGUSR1")
	r.within(5*time.Second, "the deadline has passed", func() bool { return !r.clock.Now().Before(until) })
	order := r.guard.last()
	r.lead("1", time.Hour)
	if n := r.signalled("true"); n != 1 {
		t.Errorf("%d gains sent; want the first alone", n)
	}
	if got := r.guard.last(); !got.Equal(order) {
		t.Errorf("the guard has %+v; want %+v", got, order)
	}
	r.looking()
	r.within(20*time.Second, "it is killed", func() bool { return state(t, a.pid()).Over() })
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

// A standby's process that gets its stop holds nothing up: it gets half a margin, and a term that follows has its own handover.
func TestStandbyIsNoDrain(t *testing.T) {
	name := unique(t)
	a := python(t, name, ignoresTerm)
	r := newRig(t, Config{Target: Target{Name: name}, OnLost: term, Fence: true, KillMargin: time.Minute, StopTimeout: time.Minute})
	before := r.clock.Now()
	r.lose()
	if got := r.guard.last().Kill.Sub(before); got < 30*time.Second || got > 40*time.Second {
		t.Errorf("killed %s after its stop; want half a margin, 30 s", got)
	}
	a.end()
	r.lead("1", time.Minute)
	python(t, name, ignoresTerm)
	r.lead("1", time.Minute)
	r.sees("leading", sight.Running, sight.Running)
	r.machine.kill = 0
}
