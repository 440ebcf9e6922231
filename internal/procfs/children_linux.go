package procfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// StatusNotRun is the exit status for a program that could not be started, as in shells.
const StatusNotRun = 126

// NotStarted returns the exit status for a failed start: 127 if the program does not exist, else 126.
func NotStarted(err error) int {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return 127
	}
	return StatusNotRun
}

// ExitStatus returns the exit status as in a shell: 128 plus the signal that killed the process.
func ExitStatus(how unix.WaitStatus) int {
	if how.Signaled() {
		return 128 + int(how.Signal())
	}
	return how.ExitStatus()
}

// Subreaper makes this process the parent of its orphaned descendants.
func Subreaper() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become the parent of what may be left behind: %w", err)
	}
	return nil
}

// Reap collects this process's ended children, and calls ended for each. It reports whether no child is left. In a subreaper
// this means that no descendant is left, as orphans become its children.
func Reap(ended func(pid int, how unix.WaitStatus)) (none bool) {
	for {
		var how unix.WaitStatus
		pid, err := unix.Wait4(-1, &how, unix.WNOHANG, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return true
		case pid == 0:
			return false
		default:
			ended(pid, how)
		}
	}
}

// Descendants returns the running processes below root, parents before children. It may miss a process that starts or ends
// meanwhile, so look again. No descendant can leave the tree while root is its subreaper.
func Descendants(root int) ([]Process, error) {
	all, err := Read()
	if err != nil {
		return nil, err
	}
	family := all.Family(root)
	return family[min(1, len(family)):], nil
}

// SignalAll sends a signal to every process, and returns how many had not ended.
func SignalAll(all []Process, s syscall.Signal) (living int, err error) {
	var faults []error
	for _, p := range all {
		switch err := Send(p.ID, s); {
		case errors.Is(err, ErrOver):
			continue
		case err != nil:
			faults = append(faults, err)
		}
		living++
	}
	return living, errors.Join(faults...)
}
