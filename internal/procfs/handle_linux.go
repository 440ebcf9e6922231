package procfs

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrOver is returned for a process that has ended.
var ErrOver = errors.New("the process has ended")

// Handle holds a process by its pidfd, which never refers to another process, even if the pid is reused. End it with
// [Handle.Close]. It is safe for concurrent use.
type Handle struct {
	// Process is the process as last seen.
	Process
	fd     *os.File
	exited chan struct{}
}

// Open holds a process. It returns [ErrOver] if the process has ended, even if its pid was reused.
func Open(p Process) (*Handle, error) {
	fd, err := open(p.ID)
	if errors.Is(err, ErrOver) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("hold %s: %w", p, err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // so that the Go runtime waits for it without a thread
		_ = unix.Close(fd)
		return nil, fmt.Errorf("hold %s: %w", p, err)
	}
	h := &Handle{Process: p, fd: os.NewFile(uintptr(fd), "pidfd"), exited: make(chan struct{})}
	go h.wait()
	return h, nil
}

func open(id ID) (fd int, err error) {
	fd, err = unix.PidfdOpen(id.PID, 0)
	switch {
	case errors.Is(err, unix.ESRCH):
		return 0, ErrOver
	case errors.Is(err, unix.ENOSYS):
		return 0, fmt.Errorf("this kernel has no pidfd: Linux 5.3 or newer is needed: %w", err)
	case err != nil:
		return 0, err
	}
	// Compare only now: the pidfd keeps the process that had the pid when it was opened.
	if _, alive := (Process{ID: id}).Alive(); !alive {
		_ = unix.Close(fd)
		return 0, ErrOver
	}
	return fd, nil
}

// wait waits for the process's end, which makes its pidfd readable.
func (h *Handle) wait() {
	defer close(h.exited)
	conn, err := h.fd.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Read(func(uintptr) bool { return h.Ended() }) // fails once the file is closed
}

// Exited returns a channel that closes once the process has ended or the handle is closed.
func (h *Handle) Exited() <-chan struct{} { return h.exited }

// Ended asks the kernel whether the process has ended.
func (h *Handle) Ended() bool {
	ended := true // also for a closed handle
	h.control(func(pidfd int) {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, 0)
		ended = err == nil && n > 0
	})
	return ended
}

// Send sends a signal to this process; 0 only checks the right to. It fails as [Send] does.
func (h *Handle) Send(s syscall.Signal) error {
	err := ErrOver // also for a closed handle
	h.control(func(pidfd int) { err = send(pidfd, h.PID, s) })
	return err
}

// control calls do with the pidfd, unless the handle is closed.
func (h *Handle) control(do func(pidfd int)) {
	if conn, err := h.fd.SyscallConn(); err == nil {
		_ = conn.Control(func(fd uintptr) { do(int(fd)) }) // an error means that the handle is closed
	}
}

// Close lets go of the process, and waits for the handle's goroutine.
func (h *Handle) Close() {
	_ = h.fd.Close()
	<-h.exited
}

// Send sends one signal to a process without a handle. It returns [ErrOver] if the process has ended, and names both users
// in the error for another user's process.
func Send(id ID, s syscall.Signal) error {
	fd, err := open(id)
	if errors.Is(err, ErrOver) {
		return err
	}
	if err != nil {
		return fmt.Errorf("send a signal to process %d: %w", id.PID, err)
	}
	defer unix.Close(fd)
	return send(fd, id.PID, s)
}

func send(fd, pid int, s syscall.Signal) error {
	err := unix.PidfdSendSignal(fd, s, nil, 0)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ESRCH):
		return ErrOver
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("it is of UID %s: %w for UID %d: both must run as the same UID: give the sidecar the same runAsUser as the workload's container",
			Owner(pid), err, os.Getuid())
	}
	return err
}
