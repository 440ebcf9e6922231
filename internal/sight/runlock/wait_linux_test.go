package runlock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
)

// TestTheKernelLetsGo shows what the waiting relies on: a lock that is granted to a call whose descriptor stands for
// something else by then is dropped on the way out of the call.
func TestTheKernelLetsGo(t *testing.T) {
	s := see(t, t.TempDir())
	for _, k := range []kind{flocked, posixed} {
		h := holds(t, map[kind]string{flocked: "shared", posixed: "posix"}[k], s.cfg.Dir)
		fd, err := reopen(s.file)
		if err != nil {
			t.Fatal(err)
		}
		instead, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		threads, outcome := make(chan int, 1), make(chan error, 1)
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			threads <- unix.Gettid()
			if k == posixed {
				lock := whole()
				outcome <- unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLKW, &lock)
				return
			}
			outcome <- unix.Flock(fd, unix.LOCK_EX)
		}()
		c := &call{k: k, fd: fd, thread: <-threads}
		for !c.entered() {
			time.Sleep(time.Millisecond)
		}
		if err := unix.Dup3(instead, fd, unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		h.kill()
		if err := <-outcome; err != nil {
			t.Errorf("kind %d: the lock was not granted: %v", k, err)
		}
		if held, err := heldBy(k, s.file); held || err != nil {
			t.Errorf("kind %d: held %v, %v after the call, which nobody has undone", k, held, err)
		}
		_, _ = unix.Close(fd), unix.Close(instead)
	}
}

// TestAThreadThatDoesNotGiveUp cannot be freed, as its descriptor still stands for the file: the wait ends all the same.
func TestAThreadThatDoesNotGiveUp(t *testing.T) {
	s := see(t, t.TempDir())
	for k, how := range map[kind]string{flocked: "shared", posixed: "posix"} {
		h := holds(t, how, s.cfg.Dir)
		fd, err := reopen(s.file)
		if err != nil {
			t.Fatal(err)
		}
		c := startCall(k, fd)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		given := make(chan error, 1)
		go func() {
			if ended, err := c.await(ctx, -1); ended { // no descriptor can take its place
				given <- fmt.Errorf("the call has ended: %w", err)
			} else {
				given <- err
			}
		}()
		select {
		case err := <-given:
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: got %v", how, err)
			}
		case <-time.After(20 * time.Second):
			t.Errorf("%s: the wait does not end", how)
		}
		cancel()
		h.kill()
		<-c.outcome
		if held, err := heldBy(k, s.file); held || err != nil {
			t.Errorf("%s: held %v, %v after the call", how, held, err)
		}
		_ = unix.Close(fd)
	}
}

// TestSignalsDoNotEndTheWait interrupts every thread of this process, as a freeze or a profiler does: the holder is still
// seen to run, and its end too.
func TestSignalsDoNotEndTheWait(t *testing.T) {
	for _, how := range []string{"shared", "posix"} {
		s := see(t, t.TempDir())
		h := holds(t, how, s.cfg.Dir)
		s.wants(sight.Running, true)
		for range 50 {
			threads, err := os.ReadDir("/proc/self/task")
			if err != nil {
				t.Fatal(err)
			}
			for _, thread := range threads {
				if id, err := strconv.Atoi(thread.Name()); err == nil {
					_ = unix.Tgkill(os.Getpid(), id, unix.SIGURG) // it may have ended
				}
			}
			time.Sleep(time.Millisecond)
		}
		if got := s.Presence.State(true); got != sight.Running {
			t.Errorf("%s: after the signals: got %s", how, got)
		}
		h.kill()
		s.wants(sight.Stopped, true)
		if err := unix.Flock(int(s.file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			t.Errorf("%s: the lock is held by this process itself: %v", how, err)
		}
		_ = unix.Flock(int(s.file.Fd()), unix.LOCK_UN)
	}
}
