package guard

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// leftoverGrace is how long descendants have to stop after the program has ended by itself.
const leftoverGrace = time.Second

// program is the program of one term, with its descendants.
type program struct {
	token    string
	pid      int
	kill     bootclock.Instant // when everything alive is killed
	leftover bootclock.Instant // the latest kill deadline of what was left when the program ended by itself; zero: it did not
	stopping bool              // SIGTERM was sent
	end      *End              // nil while the program runs
	killed   bool              // SIGKILL was sent to everything
}

// start starts the program for a term. After a failure, it has ended already. The kernel kills it when the calling thread ends.
func start(argv []string, t Term) *program {
	p := &program{token: t.Token, kill: t.Kill}
	path, err := exec.LookPath(argv[0])
	if err == nil {
		p.pid, err = syscall.ForkExec(path, argv, &syscall.ProcAttr{
			Env: environment(os.Environ(), t.Env), Files: []uintptr{0, 1, 2},
			Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
		})
	}
	if err != nil {
		p.pid, p.end = 0, &End{Token: t.Token, Status: procfs.NotStarted(err), Fault: err.Error()}
	}
	return p
}

// environment returns the process's own variables, replaced by those of a term with the same name. A guard below a guard has
// both, and most programs read the first of two.
func environment(own, term []string) []string {
	names := map[string]bool{}
	for _, one := range term {
		name, _, _ := strings.Cut(one, "=")
		names[name] = true
	}
	merged := slices.DeleteFunc(slices.Clone(own), func(one string) bool {
		name, _, _ := strings.Cut(one, "=")
		return names[name]
	})
	return append(merged, term...)
}

// signal signals the process group, whose number belongs to this program until it is reaped.
func (p *program) signal(s syscall.Signal) {
	if p.pid != 0 && p.end == nil {
		_ = syscall.Kill(-p.pid, s) // an error means that the group has no process
	}
}

// deadline returns when everything alive is killed.
func (p *program) deadline() bootclock.Instant {
	if p.leftover.IsZero() {
		return p.kill
	}
	return min(p.kill, p.leftover)
}

// order applies the sidecar's order to stop a term's program. In a planned stop each renewal moves the kill deadline, so the
// newest order counts. An order for another term can only bring the deadline closer (I11).
func (p *program) order(s stop) {
	if s.Token == p.token {
		p.kill = s.Kill
	}
	p.stop(s.Kill)
}

// stop sends SIGTERM to the program, once, and moves the kill deadline to kill if that is earlier.
func (p *program) stop(kill bootclock.Instant) {
	p.kill = min(p.kill, kill)
	if !p.stopping {
		p.stopping = true
		p.signal(syscall.SIGTERM)
	}
}

// reaped records how the program ended.
func (p *program) reaped(now bootclock.Instant, how unix.WaitStatus) {
	p.end = &End{Token: p.token, Status: procfs.ExitStatus(how), Ordered: p.stopping}
	if how.Signaled() {
		p.end.Signal = how.Signal()
	}
	if !p.stopping {
		p.stopping = true
		p.leftover = now.Add(leftoverGrace)
	}
}

// stopLeft sends SIGTERM to everything that the program left, daemons of other groups too.
func (p *program) stopLeft() {
	if left, err := procfs.Descendants(os.Getpid()); err == nil {
		_, _ = procfs.SignalAll(left, syscall.SIGTERM) // what cannot be signalled is killed later
	}
}

// killAll kills everything alive. Repeat it until nothing is: the first call can miss a process that is just starting.
func (p *program) killAll() {
	p.signal(syscall.SIGKILL)
	p.killed = true
	if left, err := procfs.Descendants(os.Getpid()); err == nil {
		_, err = procfs.SignalAll(left, syscall.SIGKILL)
		p.killed = err == nil
	}
}
