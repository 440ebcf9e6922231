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

// leftoverGrace is the time that descendants get to stop, once the program has ended by itself.
const leftoverGrace = time.Second

// program is the program of one term, and what it has started.
type program struct {
	token    string
	pid      int
	kill     bootclock.Instant // when all that still lives is killed
	leftover bootclock.Instant // the latest kill deadline of what a program that ended by itself left behind; zero: it has not
	stopping bool              // SIGTERM has been sent
	end      *End              // how the program ended; nil while it runs
	killed   bool              // SIGKILL has been sent to everything
}

// start starts the program for a term. If that fails, the returned program has ended already. The kernel kills the program
// when the calling thread ends.
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

// environment returns the process's own variables, with those of a term in place of variables with the same name. A guard
// below a guard has both, and most programs read the first of two.
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

// signal signals the process group. Its number belongs to this program until the program has been reaped.
func (p *program) signal(s syscall.Signal) {
	if p.pid != 0 && p.end == nil {
		_ = syscall.Kill(-p.pid, s) // an error means that the group has no process
	}
}

// deadline returns when all that still lives is killed.
func (p *program) deadline() bootclock.Instant {
	if p.leftover.IsZero() {
		return p.kill
	}
	return min(p.kill, p.leftover)
}

// order takes the sidecar's order that the program of a term is to stop. In a planned stop each renewal moves the kill
// deadline, so the newest order counts. An order for another term can only move the deadline closer (I11).
func (p *program) order(s stop) {
	if s.Token == p.token {
		p.kill = s.Kill
	}
	p.stop(s.Kill)
}

// stop sends SIGTERM to the program, once. All that still lives is killed at the instant kill, or at the deadline that was
// set before if that is earlier.
func (p *program) stop(kill bootclock.Instant) {
	p.kill = min(p.kill, kill)
	if !p.stopping {
		p.stopping = true
		p.signal(syscall.SIGTERM)
	}
}

// reaped notes how the program ended, and sends SIGTERM to all that it left behind, daemons of other groups too.
func (p *program) reaped(now bootclock.Instant, how unix.WaitStatus) {
	p.end = &End{Token: p.token, Status: procfs.ExitStatus(how), Ordered: p.stopping}
	if how.Signaled() {
		p.end.Signal = how.Signal()
	}
	if !p.stopping {
		p.stopping = true
		p.leftover = now.Add(leftoverGrace)
	}
	if left, err := procfs.Descendants(os.Getpid()); err == nil {
		_, _ = procfs.SignalAll(left, syscall.SIGTERM) // what cannot be signalled is killed later
	}
}

// killAll kills all that lives. It is called again until nothing does: a process that is just being started is missed the
// first time.
func (p *program) killAll() {
	p.signal(syscall.SIGKILL)
	p.killed = true
	if left, err := procfs.Descendants(os.Getpid()); err == nil {
		_, err = procfs.SignalAll(left, syscall.SIGKILL)
		p.killed = err == nil
	}
}
