//go:build linux

package dir

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// errBusy: another process, or another goroutine, holds the lock.
var errBusy = errors.New("the lock of the Lease's files is taken")

// The lock is held for about a millisecond; the pauses between two attempts at it double.
const (
	firstWait = 200 * time.Microsecond
	lastWait  = 10 * time.Millisecond
)

// lock waits for the lock until ctx ends. Closing the file unlocks it. The file stays: whoever waits for the lock has it open.
func (f files) lock(ctx context.Context) (*os.File, error) {
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("wait for %s: %w", f.locked, err)
		}
		l, err := f.tryLock()
		if !errors.Is(err, errBusy) {
			return l, err
		}
		_ = bootclock.Sleep(ctx, bootclock.System{}, wait) // an error ends the loop
	}
}

// tryLock takes the lock, or returns errBusy at once.
func (f files) tryLock() (*os.File, error) {
	file, err := f.openLock()
	if err != nil {
		return nil, f.refused(err)
	}
	if err := f.take(file); err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// take locks the open file. It fails where the file was removed since it was opened: others then lock a new one.
func (f files) take(file *os.File) error {
	err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		return errBusy
	case err != nil:
		return fmt.Errorf("lock %s: %w", f.locked, err)
	case !isAt(file, f.locked):
		return errBusy
	}
	return nil
}

// openLock opens the lock's file for reading, which is all that flock asks for, and makes it where it is missing.
func (f files) openLock() (*os.File, error) {
	file, err := os.OpenFile(f.locked, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if !errors.Is(err, os.ErrNotExist) {
		return file, err
	}
	file, err = os.OpenFile(f.locked, os.O_RDONLY|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err == nil {
		_ = file.Chmod(f.mode()) // fails where another user has just made it, with its own mode
	}
	return file, err
}

// isAt reports whether path still names the open file.
func isAt(file *os.File, path string) bool {
	here, err := file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(here, there)
}
