package runlock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// enterPause and enterTries bound the wait for a thread to enter its call.
	enterPause = 200 * time.Microsecond
	enterTries = 50
	// nudgePause is the time between attempts to wake a thread that is to give up.
	nudgePause = 2 * time.Millisecond
)

// errAgain says that a wait ended without an answer.
var errAgain = errors.New("the wait was interrupted")

// wait returns nil once nobody holds a lock of that kind on the file. It returns ctx's error when ctx ends first, and
// errAgain where it does not know.
//
// A thread waits for the exclusive lock in the kernel, on an open file description of its own. While it waits, its
// descriptor is made to stand for something else, so that the call itself has the last reference: when the lock is
// granted, the kernel drops it on the way out of the call. A sidecar that is frozen, throttled or preempted can then not
// be in possession of the lock, as it could between two calls.
func wait(ctx context.Context, k kind, file *os.File) error {
	fd, err := reopen(file)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	// flock and fcntl's lock calls fail on such a descriptor: a call that comes late, or that is restarted after a signal,
	// locks nothing.
	instead, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("wait for %s: %w", fileName, err)
	}
	defer unix.Close(instead)
	threads, outcome := make(chan int), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		threads <- unix.Gettid()
		outcome <- block(k, fd)
	}()
	thread := <-threads
	for range enterTries {
		if entered(thread, k, fd) || ctx.Err() != nil {
			break
		}
		select {
		case err := <-outcome: // it was free
			return answer(err)
		case <-time.After(enterPause):
		}
	}
	if err := unix.Dup3(instead, fd, unix.O_CLOEXEC); err != nil {
		return errors.Join(fmt.Errorf("wait for %s: %w", fileName, err), <-outcome)
	}
	select {
	case err := <-outcome:
		return answer(err)
	case <-ctx.Done():
	}
	for {
		// The runtime's own signal: its handler does nothing, and the call that it restarts fails.
		_ = unix.Tgkill(os.Getpid(), thread, unix.SIGURG)
		select {
		case <-outcome:
			return ctx.Err()
		case <-time.After(nudgePause):
		}
	}
}

// answer makes the outcome of a wait an error.
func answer(err error) error {
	if errors.Is(err, unix.EBADF) || errors.Is(err, unix.EINTR) {
		return errAgain
	}
	return err
}

// reopen opens the file anew, by its inode: the name may stand for another one by now.
func reopen(file *os.File) (fd int, err error) {
	err = onDescriptor(file, "open again", func(old uintptr) (err error) {
		fd, err = unix.Open("/proc/self/fd/"+strconv.Itoa(int(old)), unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		return err
	})
	return fd, err
}

// entered reports whether a thread of this process waits in the call: the kernel then has the descriptor's description.
func entered(thread int, k kind, fd int) bool {
	text, err := os.ReadFile("/proc/self/task/" + strconv.Itoa(thread) + "/syscall")
	if err != nil {
		return false
	}
	fields := strings.Fields(string(text)) // NUMBER 0xARG …, or "running"
	return len(fields) > 1 && fields[0] == strconv.Itoa(k.number()) && fields[1] == fmt.Sprintf("%#x", fd)
}
