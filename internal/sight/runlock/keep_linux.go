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

// Keep takes the signal directory's run lock, runs the command, and holds the lock until the command and all its descendants
// have ended, even those in other sessions or without the lock's descriptor. It forwards process signals, and returns the
// command's exit code. Call it from the main goroutine of a program that does nothing else, as it becomes its orphans' parent.
func Keep(dir string, argv []string) (status int, err error) {
	path := filepath.Join(dir, fileName)
	file, err := os.Open(path) // for reading: a read-only mount permits no more
	if err != nil {
		hint := "give the sidecar's signal directory, mounted here too"
		if errors.Is(err, fs.ErrNotExist) {
			hint += ", and start the sidecar first: it makes the file"
		}
		return procfs.StatusNotRun, fmt.Errorf("take the run lock: %w: %s", err, hint)
	}
	defer file.Close()
	if err := unix.Flock(int(file.Fd()), unix.LOCK_SH); err != nil {
		return procfs.StatusNotRun, fmt.Errorf("take the run lock %s: %w", path, err)
	}
	program, err := exec.LookPath(argv[0])
	if err != nil {
		return procfs.NotStarted(err), fmt.Errorf("run %s: %w", argv[0], err)
	}
	if err := procfs.Subreaper(); err != nil {
		return procfs.StatusNotRun, err
	}
	incoming := passed()
	defer signal.Stop(incoming)
	// The kernel kills the command when the thread that started it ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, err := syscall.ForkExec(program, argv, &syscall.ProcAttr{
		// The command inherits the lock: if this process is killed, a process that kept the descriptor still holds it.
		Env: os.Environ(), Files: []uintptr{0, 1, 2, file.Fd()},
		Sys: &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return procfs.NotStarted(err), fmt.Errorf("run %s: %w", program, err)
	}
	return follow(pid, incoming), nil
}

// passed subscribes to the signals to forward: those not ignored at the start. The command starts with the others ignored too.
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

// follow reaps until no descendant is left, and returns the first one's exit code. Signals go to it, later to what it left.
func follow(pid int, incoming <-chan os.Signal) (status int) {
	died := make(chan os.Signal, 1)
	signal.Notify(died, syscall.SIGCHLD)
	defer signal.Stop(died)
	lives := true
	for {
		none := procfs.Reap(func(reaped int, how unix.WaitStatus) {
			if reaped == pid {
				lives = false
				status = procfs.ExitStatus(how)
			}
		})
		if none {
			return status
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

// signalAll sends a signal to all descendants. This process's own children are not reaped meanwhile; in theory, the number
// of any other may have become another descendant's.
func signalAll(s syscall.Signal) {
	left, _ := procfs.Descendants(os.Getpid()) // none if /proc cannot be read
	for _, p := range left {
		_ = syscall.Kill(p.PID, s) // it may have ended
	}
}
