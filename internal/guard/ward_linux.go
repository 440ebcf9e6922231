package guard

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// leftoverGrace is the time that descendants get to stop, once the program has ended by itself.
const leftoverGrace = time.Second

// ward is a program of one term, and what it has started.
type ward struct {
	token    string
	pid      int
	kill     bootclock.Instant // when all that still lives is killed
	leftover bootclock.Instant // when at the latest, for what a program that ended by itself left behind; zero: it has not
	stopping bool              // it has been told to stop
	end      *End              // how the program ended; nil while it runs
	killed   bool              // everything has been sent SIGKILL
}

// start starts the program for a term. The returned ward has ended already where that fails. The calling thread's end
// is the program's end, too.
func start(argv []string, t Term) *ward {
	w := &ward{token: t.Token, kill: t.Kill}
	path, err := exec.LookPath(argv[0])
	if err == nil {
		w.pid, err = syscall.ForkExec(path, argv, &syscall.ProcAttr{
			Env: environment(os.Environ(), t.Env), Files: []uintptr{0, 1, 2},
			Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
		})
	}
	if err != nil {
		status := 126
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
			status = 127
		}
		w.pid, w.end = 0, &End{Token: t.Token, Status: status, Fault: err.Error()}
	}
	return w
}

// environment returns the process's own variables with those of a term in their place: of two with one name, as a guard in a
// guard would have, most programs read the first.
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

// tell signals the process group. Its number is safe to use as long as the program has not been reaped.
func (w *ward) tell(s syscall.Signal) {
	if w.pid != 0 && w.end == nil {
		_ = syscall.Kill(-w.pid, s) // an error means that nobody is there
	}
}

// deadline returns when all that still lives is killed.
func (w *ward) deadline() bootclock.Instant {
	if w.leftover.IsZero() {
		return w.kill
	}
	return min(w.kill, w.leftover)
}

// order takes the sidecar's word that the program of a term is to stop. In a planned stop each renewal moves the kill
// deadline, so the newest one counts; one that is for another term only ever brings it closer (I11).
func (w *ward) order(s stop) {
	if s.Token == w.token {
		w.kill = s.Kill
	}
	w.stop(s.Kill)
}

// stop tells the program to stop, once; kill is when the rest follows, if that was not to be sooner.
func (w *ward) stop(kill bootclock.Instant) {
	w.kill = min(w.kill, kill)
	if !w.stopping {
		w.stopping = true
		w.tell(syscall.SIGTERM)
	}
}

// reaped notes how the program ended, and tells what it left behind to stop, daemons of other groups too: they are
// nobody's any more.
func (w *ward) reaped(now bootclock.Instant, status unix.WaitStatus) {
	w.end = &End{Token: w.token, Status: status.ExitStatus(), Ordered: w.stopping}
	if status.Signaled() {
		w.end.Signal = status.Signal()
		w.end.Status = 128 + int(w.end.Signal)
	}
	if !w.stopping {
		w.stopping = true
		w.leftover = now.Add(leftoverGrace)
	}
	if left, err := descendants(os.Getpid()); err == nil {
		_, _ = strikeAll(left, syscall.SIGTERM) // who cannot be told is killed
	}
}

// slay kills all that lives. It is called again until nothing does: what was being started is missed at first.
func (w *ward) slay() {
	w.tell(syscall.SIGKILL)
	w.killed = true
	if left, err := descendants(os.Getpid()); err == nil {
		_, err = strikeAll(left, syscall.SIGKILL)
		w.killed = err == nil
	}
}
