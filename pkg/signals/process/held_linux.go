package process

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// errOver says that the process has ended.
var errOver = errors.New("the process has ended")

// held is a process by its pidfd, which stands for it even after its pid is another's.
type held struct {
	entry
	fd     *os.File
	exited chan struct{} // closed once the process has ended, or at close
	over   bool          // the end has been taken note of

	told     told
	handled  bootclock.Instant // when it has had its time for the signal before; zero: long ago
	untaken  bool              // a signal lay in wait of it when that was looked at last
	heldBack bool              // and so it was not told
	owed     bool              // it gets the loss once more: it may handle a gain after it
	losses   int               // how often it was told that, busy as it was
	led      bootclock.Instant // the last validUntil of a term in which it was there; zero: none
	killed   bool

	dismissed bootclock.Instant // when it was last told to end; zero: not, or it has outlived that
}

// told is what a process was told last.
type told struct {
	something bool
	leading   bool
	token     string
}

// hold opens the process and makes sure that it is the one that was seen. Its waiting ends with close.
func hold(e entry) (*held, error) {
	fd, err := unix.PidfdOpen(e.pid, 0)
	switch {
	case errors.Is(err, unix.ESRCH):
		return nil, errOver
	case errors.Is(err, unix.ENOSYS):
		return nil, fmt.Errorf("hold %s: this kernel has no pidfd: Linux 5.3 or newer is needed for process signals", e)
	case err != nil:
		return nil, fmt.Errorf("hold %s: %w", e, err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // so that the runtime waits for it without a thread
		_ = unix.Close(fd)
		return nil, fmt.Errorf("hold %s: %w", e, err)
	}
	h := &held{entry: e, fd: os.NewFile(uintptr(fd), "pidfd"), exited: make(chan struct{})}
	if _, same := e.alive(); !same { // only now: the pidfd keeps what the pid stood for when it was opened
		_ = h.fd.Close()
		return nil, errOver
	}
	go h.wait()
	return h, nil
}

// wait sees the process's end: a pidfd is readable from then on.
func (h *held) wait() {
	defer close(h.exited)
	conn, err := h.fd.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Read(func(uintptr) bool { return h.ended() }) // it fails when the file is closed
}

// ended asks the kernel whether the process has ended.
func (h *held) ended() bool {
	ended := false
	conn, err := h.fd.SyscallConn()
	if err != nil {
		return true
	}
	err = conn.Control(func(fd uintptr) {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(poll, 0)
		ended = err == nil && n > 0
	})
	return ended || err != nil
}

// send sends a signal to this very process.
func (h *held) send(s Signo) error {
	conn, err := h.fd.SyscallConn()
	if err != nil {
		return errOver
	}
	sent := error(nil)
	if err := conn.Control(func(fd uintptr) {
		sent = unix.PidfdSendSignal(int(fd), syscall.Signal(s), nil, 0)
	}); err != nil {
		return errOver
	}
	switch {
	case sent == nil:
		return nil
	case errors.Is(sent, unix.ESRCH):
		return errOver
	case errors.Is(sent, unix.EPERM):
		return fmt.Errorf("send %s to %s of UID %s: %w for UID %d: both must run as the same UID: give the sidecar the same runAsUser as the workload's container",
			s, h.entry, owner(h.pid), sent, os.Getuid())
	}
	return fmt.Errorf("send %s to %s: %w", s, h.entry, sent)
}

// close lets go of the process and joins the waiting.
func (h *held) close() {
	_ = h.fd.Close()
	<-h.exited
}
