package runlock

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
)

// Exit codes of a command that did not start, as shells have them.
const (
	statusNotRun   = 126
	statusNotFound = 127
)

// Keep takes the run lock of the signal directory, runs the command, and holds the lock until the command has ended
// with all that it has started, also what has closed every descriptor or left for a session of its own. It passes process
// signals on, and returns the command's exit code. Call it from the main goroutine of a program that does nothing else:
// it becomes the parent of every orphan below it.
func Keep(dir string, argv []string) (status int, err error) {
	path := filepath.Join(dir, fileName)
	file, err := os.Open(path) // for reading, which is all that a read-only mount lets pass
	if err != nil {
		hint := "give the sidecar's signal directory, mounted here too"
		if errors.Is(err, fs.ErrNotExist) {
			hint += ", and start the sidecar first: it makes the file"
		}
		return statusNotRun, fmt.Errorf("take the run lock: %w: %s", err, hint)
	}
	defer file.Close()
	if err := unix.Flock(int(file.Fd()), unix.LOCK_SH); err != nil {
		return statusNotRun, fmt.Errorf("take the run lock %s: %w", path, err)
	}
	program, err := exec.LookPath(argv[0])
	if err != nil {
		return unstarted(err), fmt.Errorf("run %s: %w", argv[0], err)
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return statusNotRun, fmt.Errorf("become the parent of what the command leaves behind: %w", err)
	}
	incoming := passed()
	defer signal.Stop(incoming)
	// The kernel kills the command when the thread that started it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, err := syscall.ForkExec(program, argv, &syscall.ProcAttr{
		// The command inherits the lock: if this process is killed, whatever has not closed it still holds it.
		Env: os.Environ(), Files: []uintptr{0, 1, 2, file.Fd()},
		Sys: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return unstarted(err), fmt.Errorf("run %s: %w", program, err)
	}
	return follow(pid, incoming), nil
}

// unstarted returns the exit code for a command that did not start.
func unstarted(err error) int {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return statusNotFound
	}
	return statusNotRun
}

// passed subscribes to the signals to pass on: those that were not ignored when this process started. The command is started
// with the others ignored too.
func passed() chan os.Signal {
	incoming := make(chan os.Signal, 16)
	for s := syscall.Signal(1); s <= 64; s++ {
		switch s {
		case syscall.SIGCHLD, syscall.SIGURG, syscall.SIGPIPE, syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGTTIN,
			syscall.SIGTTOU, syscall.SIGTSTP, syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGILL, 32, 33, 34:
			continue
		}
		if !signal.Ignored(s) {
			signal.Notify(incoming, s)
		}
	}
	return incoming
}

// follow reaps until no descendant is left, and returns the exit code of the first one. A signal goes to it, and once it
// has ended, to all that it left.
func follow(pid int, incoming <-chan os.Signal) (status int) {
	died := make(chan os.Signal, 1)
	signal.Notify(died, syscall.SIGCHLD)
	defer signal.Stop(died)
	lives := true
	for {
		for {
			var how unix.WaitStatus
			reaped, err := unix.Wait4(-1, &how, unix.WNOHANG, nil)
			if errors.Is(err, unix.EINTR) {
				continue
			}
			if errors.Is(err, unix.ECHILD) {
				return status
			}
			if reaped <= 0 {
				break
			}
			if reaped == pid {
				lives = false
				status = how.ExitStatus()
				if how.Signaled() {
					status = 128 + int(how.Signal())
				}
			}
		}
		select {
		case <-died:
		case s := <-incoming:
			if lives {
				_ = syscall.Kill(pid, s.(syscall.Signal)) // it is not reaped yet, so the number is its own
				continue
			}
			signalAll(s.(syscall.Signal))
		}
	}
}

// signalAll sends a signal to all descendants. One that has no parent but this process is not reaped meanwhile; the number
// of any other may, in theory, have become another descendant's.
func signalAll(s syscall.Signal) {
	all, err := procfs.Read()
	if err != nil {
		return
	}
	for _, p := range all.Family(os.Getpid()) {
		if p.PID != os.Getpid() {
			_ = syscall.Kill(p.PID, s) // it may have ended
		}
	}
}
