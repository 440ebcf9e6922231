package guard

import (
	"errors"
	"os"
	"os/exec"
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
			Env: append(os.Environ(), t.Env...), Files: []uintptr{0, 1, 2},
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

// tell signals the process group. Its number is safe to use as long as the program has not been reaped.
func (w *ward) tell(s syscall.Signal) {
	if w.pid != 0 && w.end == nil {
		_ = syscall.Kill(-w.pid, s) // an error means that nobody is there
	}
}

// stop tells the program to stop, once; kill is when the rest follows. The kill deadline only ever comes closer.
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
		w.kill = min(w.kill, now.Add(leftoverGrace))
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
