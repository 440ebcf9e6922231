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
	// nudgePause is the pause between attempts to wake a thread that must give up; nudges is their number.
	nudgePause = 2 * time.Millisecond
	nudges     = 500
)

// errAgain says that a wait ended without an answer.
var errAgain = errors.New("the wait was interrupted")

// wait returns nil once nobody holds a lock of that kind on the file, ctx's error if ctx ends first, and errAgain if it does
// not know.
//
// A thread waits for the exclusive lock in the kernel, on its own open file description. While it waits, its descriptor is
// replaced, so that the call has the last reference: once the lock is granted, the kernel drops it on the way out of the
// call. So a sidecar that is frozen, throttled or preempted cannot hold the lock, as it could between two calls.
//
// A thread that does not give up within a second of ctx's end is left behind, with its descriptor.
func wait(ctx context.Context, k kind, file *os.File) error {
	fd, err := reopen(file)
	if err != nil {
		return err
	}
	// flock and fcntl's lock calls fail on such a descriptor, so a late or restarted call locks nothing.
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

// call is one blocking call in its own thread.
type call struct {
	k       kind
	fd      int
	thread  int
	outcome chan error // buffered, one slot
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

// await returns wait's result, and whether the call has ended. It fails if the descriptor cannot be replaced.
func (c *call) await(ctx context.Context, instead int) (ended bool, err error) {
	for range enterTries {
		if c.entered() || ctx.Err() != nil {
			break
		}
		select {
		case err := <-c.outcome: // the lock was free
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
		// The runtime's own signal: its handler does nothing, and the restarted call fails.
		_ = unix.Tgkill(os.Getpid(), c.thread, unix.SIGURG)
		select {
		case <-c.outcome:
			return true, ctx.Err()
		case <-time.After(nudgePause):
		}
	}
	return false, ctx.Err()
}

// answer turns the result of the call into an error.
func answer(err error) error {
	if errors.Is(err, unix.EBADF) || errors.Is(err, unix.EINTR) {
		return errAgain
	}
	return err
}

// reopen opens the file again by its inode, as the name may refer to another file.
func reopen(file *os.File) (fd int, err error) {
	err = onDescriptor(file, "open again", func(old uintptr) (err error) {
		fd, err = unix.Open("/proc/self/fd/"+strconv.Itoa(int(old)), unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		return err
	})
	return fd, err
}

// entered reports whether the thread waits in the call, so that the kernel has its own reference to the description.
func (c *call) entered() bool {
	text, err := os.ReadFile("/proc/self/task/" + strconv.Itoa(c.thread) + "/syscall")
	if err != nil {
		return false
	}
	fields := strings.Fields(string(text)) // NUMBER 0xARG …, or "running"
	return len(fields) > 1 && fields[0] == strconv.Itoa(c.k.number()) && fields[1] == fmt.Sprintf("%#x", c.fd)
}
