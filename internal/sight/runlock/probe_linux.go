package runlock

import (
	"io"
	"math"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// kind is a kind of lock. On Linux, locks of different kinds do not conflict.
type kind int

const (
	flocked kind = iota // by flock(2)
	posixed             // by fcntl(2): POSIX and open file description locks
)

// heldBy reports whether somebody holds a lock of that kind.
func heldBy(k kind, file *os.File) (held bool, err error) {
	err = onDescriptor(file, "look at", func(fd uintptr) (err error) {
		if k == posixed {
			held, err = fcntlHeld(fd)
		} else {
			held, err = flockHeld(fd)
		}
		return err
	})
	return held, err
}

// flockHeld takes the exclusive lock and releases it at once, as nothing else shows a flock of another pid namespace. The Go
// scheduler does not run between the two calls.
func flockHeld(fd uintptr) (bool, error) {
	_, _, errno := unix.RawSyscall(unix.SYS_FLOCK, fd, unix.LOCK_EX|unix.LOCK_NB, 0)
	if errno == 0 {
		_, _, errno = unix.RawSyscall(unix.SYS_FLOCK, fd, unix.LOCK_UN, 0)
	}
	switch errno {
	case 0:
		return false, nil
	case unix.EWOULDBLOCK:
		return true, nil
	}
	return false, errno
}

// fcntlHeld asks the kernel, without taking a lock.
func fcntlHeld(fd uintptr) (bool, error) {
	lock := whole()
	if err := unix.FcntlFlock(fd, unix.F_OFD_GETLK, &lock); err != nil {
		return false, err
	}
	return lock.Type != unix.F_UNLCK, nil
}

// whole is a write lock on all bytes.
func whole() unix.Flock_t {
	return unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: 0, Len: math.MaxInt64}
}

// block waits in the kernel until nobody holds a lock of that kind, and releases the lock that it got.
func block(k kind, fd int) error {
	if k == posixed {
		lock := whole()
		err := unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLKW, &lock)
		lock.Type = unix.F_UNLCK
		_ = unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &lock) // the descriptor may refer to nothing by now
		return err
	}
	_, _, errno := syscall.Syscall(unix.SYS_FLOCK, uintptr(fd), unix.LOCK_EX, 0)
	_, _, _ = unix.RawSyscall(unix.SYS_FLOCK, uintptr(fd), unix.LOCK_UN, 0) // as above
	if errno != 0 {
		return errno
	}
	return nil
}

// number returns the number of the system call in which block waits.
func (k kind) number() int {
	if k == posixed {
		return unix.SYS_FCNTL
	}
	return unix.SYS_FLOCK
}
