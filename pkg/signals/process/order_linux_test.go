package process

import (
	"errors"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// perl runs a program that handles signals as the kernel delivers them: of two that wait together it begins with the
// higher number, as one in C does.
func perl(t *testing.T, name string) *app {
	t.Helper()
	const code = `use POSIX; $| = 1; $0 = shift;
for my $s ("USR1", "USR2") { my $say = "SIG$s\n"; sigaction(eval "SIG$s", POSIX::SigAction->new(sub { syswrite STDOUT, $say })) }
syswrite STDOUT, "ready\n"; sleep 60 while 1;`
	cmd := exec.Command(tool(t, "perl"), "-e", code, name)
	a := start(t, cmd)
	a.says(t, "ready")
	return a
}

// freeze stops the program, and returns what wakes it.
func (a *app) freeze(t *testing.T) (wake func()) {
	t.Helper()
	send := func(s syscall.Signal) {
		if err := syscall.Kill(a.pid(), s); err != nil {
			t.Fatal(err)
		}
	}
	send(syscall.SIGSTOP)
	for late := time.Now().Add(10 * time.Second); !state(t, a.pid()).Stopped(); time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			t.Fatal("it does not stop")
		}
	}
	return func() { send(syscall.SIGCONT) }
}

// heard returns the lines up to the first silence.
func (a *app) heard(silence time.Duration) []string {
	var lines []string
	for {
		select {
		case line := <-a.lines:
			lines = append(lines, line)
		case <-time.After(silence):
			return lines
		}
	}
}

// orders are programs of both orders, with the signals both ways round: in half of them what waits together is handled
// the wrong way round.
func orders(t *testing.T, test func(t *testing.T, a *app, r *rig, elected, lost string)) {
	programs := map[string]func(*testing.T, string) *app{
		"lowest first":  func(t *testing.T, name string) *app { return python(t, name, catchesUsr) },
		"highest first": perl,
	}
	for order, run := range programs {
		for _, s := range [][2]Signo{{usr1, usr2}, {usr2, usr1}} {
			t.Run(order+", "+s[0].String()+" elects", func(t *testing.T) {
				name := unique(t)
				a := run(t, name)
				r := newRig(t, Config{Target: Target{Name: name}, OnElected: s[0], OnLost: s[1]})
				test(t, a, r, s[0].String(), s[1].String())
			})
		}
	}
}

// A process that is frozen across a gain and the loss after it ends up as a standby, whatever it handles first.
func TestLossIsHandledLast(t *testing.T) {
	orders(t, func(t *testing.T, a *app, r *rig, elected, lost string) {
		wake := a.freeze(t)
		r.lead("1", time.Minute)
		armed := r.guard.last()
		if err := r.apply(leadership.Leadership{}); !errors.Is(err, errUntaken) {
			t.Errorf("got %v of a loss that may be handled first; want it to be sent again", err)
		}
		if got := r.guard.last(); !got.Equal(armed) {
			t.Errorf("the guard has %+v; want %+v for as long as the loss is owed", got, armed)
		}
		wake()
		r.reach(leadership.Leadership{})
		a.says(t, elected)
		a.says(t, lost) // after the gain
		if after := a.heard(300 * time.Millisecond); len(after) > 0 && after[len(after)-1] != lost {
			t.Errorf("heard %q last; want %s", after, lost)
		}
		if got := r.guard.last(); !got.Equal(procfs.Order{}) {
			t.Errorf("the guard has %+v after the loss; want nothing", got)
		}
		if n := strings.Count(r.log.String(), "signalled the process"); n < 3 || n > 3+repeatsMax {
			t.Errorf("%d signals sent; want the gain, the loss and the loss once more, or more often to a busy process\n%s", n, r.log)
		}
	})
}

// A process that is frozen across a loss and the gain after it ends up leading.
func TestGainIsHandledLast(t *testing.T) {
	orders(t, func(t *testing.T, a *app, r *rig, elected, lost string) {
		wake := a.freeze(t)
		r.lose()
		leads := r.term("1", r.clock.Now().Add(time.Minute))
		if err := r.apply(leads); !errors.Is(err, errUntaken) {
			t.Errorf("got %v of a gain that would overtake a loss; want it to wait", err)
		}
		r.cfg.Clock = fallenClock{by: -2 * busyMax} // however long the loss lies there
		if err := r.apply(leads); !errors.Is(err, errUntaken) {
			t.Errorf("got %v of a gain after a loss that has long not been taken; want it to wait", err)
		}
		wake()
		r.reach(leads)
		a.says(t, lost)
		a.says(t, elected)
		if after := a.heard(300 * time.Millisecond); len(after) > 0 {
			t.Errorf("heard %q after that", after)
		}
	})
}

// Where the loss ends the process, or parks it, there is no order to wait for.
func TestWhoEndsOrParksIsNotAwaited(t *testing.T) {
	for name, c := range map[string]Config{
		"ends":   {OnElected: usr1, OnLost: term},
		"fenced": {OnElected: usr1, OnLost: usr2, Fence: true, KillMargin: time.Minute},
		"parks":  {OnElected: cont, OnLost: stop},
	} {
		t.Run(name, func(t *testing.T) {
			id := unique(t)
			a := python(t, id, catchesUsr)
			c.Target.Name = id
			r := newRig(t, c)
			a.freeze(t)
			r.lead("1", time.Minute)
			if c.OnElected != cont {
				r.lose()
			}
		})
	}
}

// A process that never rests may come to its handlers late: it gets an owed loss more than once, but not for ever.
func TestBusyProcessGetsTheLossAgain(t *testing.T) {
	name := unique(t)
	a := python(t, name, catchesUsr+"\nsay('ready')\nwhile True: pass")
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: usr1, OnLost: usr2})
	wake := a.freeze(t)
	r.lead("1", time.Minute)
	if err := r.apply(leadership.Leadership{}); !errors.Is(err, errUntaken) {
		t.Fatalf("got %v of a loss that may be handled first", err)
	}
	wake()
	a.says(t, "SIGUSR2")
	r.lose()
	if n := r.machine.held.repeats; n < 1 || n > repeatsMax {
		t.Errorf("got it %d times that were not the last; want 1 to %d", n, repeatsMax)
	}
}
