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
	// nudgePause is the time between attempts to wake a thread that is to give up, and nudges their number.
	nudgePause = 2 * time.Millisecond
	nudges     = 500
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
//
// A thread that does not give up within a second of ctx's end is left behind, with its descriptor.
func wait(ctx context.Context, k kind, file *os.File) error {
	fd, err := reopen(file)
	if err != nil {
		return err
	}
	// flock and fcntl's lock calls fail on such a descriptor: a call that comes late, or that is restarted after a signal,
	// locks nothing.
	instead, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return errors.Join(fmt.Errorf("wait for %s: %w", fileName, err), unix.Close(fd))
	}
	defer unix.Close(instead)
	c := startCall(k, fd)
	ended, err := c.await(ctx, instead)
	if ended {
		unix.Close(fd)
	} else {
		go func() { <-c.outcome; unix.Close(fd) }()
	}
	return err
}

// call is one blocking call, in a thread of its own.
type call struct {
	k       kind
	fd      int
	thread  int
	outcome chan error // has room for one
}

func startCall(k kind, fd int) *call {
	c, threads := &call{k: k, fd: fd, outcome: make(chan error, 1)}, make(chan int)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		threads <- unix.Gettid()
		c.outcome <- block(k, fd)
	}()
	c.thread = <-threads
	return c
}

// await returns what [wait] does, and whether the call has ended. Where the descriptor cannot be made to stand for instead, that is
// the error, once the call has ended.
func (c *call) await(ctx context.Context, instead int) (ended bool, err error) {
	for range enterTries {
		if c.entered() || ctx.Err() != nil {
			break
		}
		select {
		case err := <-c.outcome: // it was free
			return true, answer(err)
		case <-time.After(enterPause):
		}
	}
	fault := unix.Dup3(instead, c.fd, unix.O_CLOEXEC)
	select {
	case err := <-c.outcome:
		if fault != nil {
			return true, fmt.Errorf("wait for %s: %w", fileName, fault)
		}
		return true, answer(err)
	case <-ctx.Done():
	}
	for range nudges {
		// The runtime's own signal: its handler does nothing, and the call that it restarts fails.
		_ = unix.Tgkill(os.Getpid(), c.thread, unix.SIGURG)
		select {
		case <-c.outcome:
			return true, ctx.Err()
		case <-time.After(nudgePause):
		}
	}
	return false, ctx.Err()
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

// entered reports whether the thread waits in the call: the kernel then has the descriptor's description.
func (c *call) entered() bool {
	text, err := os.ReadFile("/proc/self/task/" + strconv.Itoa(c.thread) + "/syscall")
	if err != nil {
		return false
	}
	fields := strings.Fields(string(text)) // NUMBER 0xARG …, or "running"
	return len(fields) > 1 && fields[0] == strconv.Itoa(c.k.number()) && fields[1] == fmt.Sprintf("%#x", c.fd)
}
