package process

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
)

// ignoresTerm and heedsNoTerm live on: the one without noticing, the other says that it was told.
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

// A process that was told to end, as a standby's is, is not told a gain: the one that follows it is.
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
					t.Fatalf("%d gains told to a process that was told to end\n%s", n, r.log)
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
					t.Errorf("%d crashes told of a process that ended as it was told", n)
				}
				if late := a.heard(time.Millisecond); len(late) != 0 {
					t.Errorf("the first one heard %q after its stop", late)
				}
				b.end()
				r.within(20*time.Second, "the leader's crash is told", func() bool { return len(r.crashes) == 1 })
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
	r.looking() // only now, or the new process may be told the last term's loss first
	if n := r.signalled("true"); n != 1 || state(t, worker).Over() {
		t.Errorf("%d gains told, want the first alone, while the last term's worker works (it has ended: %v)", n, state(t, worker).Over())
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

// A process that takes its stop and lives on has no successor: after the stop timeout it is told the gain, and the log says so.
func TestProcessThatOutlivesItsStopIsTold(t *testing.T) {
	name := unique(t)
	a := python(t, name, heedsNoTerm)
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: usr1, OnLost: term, StopTimeout: 3 * time.Second})
	r.looking()
	r.lose()
	told := r.clock.Now()
	a.says(t, "SIGTERM")
	r.lead("1", time.Hour)
	a.says(t, "SIGUSR1")
	if early := r.clock.Now().Sub(told); early < 2900*time.Millisecond {
		t.Errorf("told the gain %s after its stop; want the stop timeout, 3 s", early)
	}
	wantText(t, r.log.String(), "reason=ProcessEnding", "reason=ProcessOutlivedStop")
	a.end()
	r.within(20*time.Second, "its crash is told", func() bool { return len(r.crashes) == 1 })
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
		t.Errorf("%d gains told to a process that has just taken its stop", n)
	}
}

// A process that the guard has told to end, as this program was late, is going away, too; its kill deadline stands.
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
		t.Errorf("%d gains told; want the first alone", n)
	}
	if got := r.guard.last(); !got.Equal(order) {
		t.Errorf("the guard has %+v; want %+v", got, order)
	}
	r.looking()
	r.within(20*time.Second, "it is killed", func() bool { return state(t, a.pid()).Over() })
}
