package runlock

import (
	"io"
	"math"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// kind is a kind of lock. Linux keeps them apart: one never stands in the way of the other.
type kind int

const (
	flocked kind = iota // by flock(2)
	posixed             // by fcntl(2): POSIX locks, and those of open file descriptions
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

// flockHeld tries the exclusive lock, because nothing else shows a flock of another pid namespace, and lets it go at once. The
// two calls follow each other without the scheduler of Go between them.
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

// fcntlHeld asks the kernel, which takes no lock for it.
func fcntlHeld(fd uintptr) (bool, error) {
	lock := whole()
	if err := unix.FcntlFlock(fd, unix.F_OFD_GETLK, &lock); err != nil {
		return false, err
	}
	return lock.Type != unix.F_UNLCK, nil
}

// whole is a write lock on every byte that there can be.
func whole() unix.Flock_t {
	return unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: 0, Len: math.MaxInt64}
}

// block waits in the kernel until nobody holds a lock of that kind, and lets go of what it was given.
func block(k kind, fd int) error {
	if k == posixed {
		lock := whole()
		err := unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLKW, &lock)
		lock.Type = unix.F_UNLCK
		_ = unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &lock) // the descriptor may stand for nothing by now
		return err
	}
	_, _, errno := syscall.Syscall(unix.SYS_FLOCK, uintptr(fd), unix.LOCK_EX, 0)
	_, _, _ = unix.RawSyscall(unix.SYS_FLOCK, uintptr(fd), unix.LOCK_UN, 0) // as above
	if errno != 0 {
		return errno
	}
	return nil
}

// number returns the system call in which block waits.
func (k kind) number() int {
	if k == posixed {
		return unix.SYS_FCNTL
	}
	return unix.SYS_FLOCK
}
