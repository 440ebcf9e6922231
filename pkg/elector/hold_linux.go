package elector

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// HoldName is the name of the hold file in a signal directory.
const HoldName = ".lease-sidecar.hold"

// Hold is the hold file of a signal directory, open and locked. One process at a time has it, whatever its Lease: so two of one pod
// never write one identity (I12), and two elections never write one document. What it says outlives that process for the next one
// to resume. The kernel drops the lock with the process, however it dies.
type Hold struct {
	file   *os.File
	bootID string
	self   fileID
}

// holdWriter is a file, as far as a hold is written.
type holdWriter interface {
	io.WriterAt
	Truncate(size int64) error
}

// OpenHold opens and locks the hold of the signal directory dir, making the file where there is none. It returns [ErrHeld] while
// another process has the lock, and [bootclock.ErrUnsupported] where there is no boot clock.
func OpenHold(dir string) (*Hold, error) {
	bootID, err := bootclock.ID()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, HoldName)
	for range 10 { // once more only when the file was replaced between opening and locking
		f, self, err := lockFile(path)
		if err != nil {
			return nil, err
		}
		var there unix.Stat_t
		switch err := unix.Lstat(path, &there); {
		case err == nil && idOf(there) == self:
			return &Hold{file: f, bootID: bootID, self: self}, nil
		case err != nil && !errors.Is(err, os.ErrNotExist):
			return nil, errors.Join(fmt.Errorf("look at the hold file: %w", err), f.Close())
		}
		if err := f.Close(); err != nil {
			return nil, fmt.Errorf("close the replaced hold file: %w", err)
		}
	}
	return nil, fmt.Errorf("lock the hold file %s: it is replaced again and again: give each sidecar a signal directory of its own", path)
}

// lockFile opens path without following links or waiting on a pipe, and locks it.
func lockFile(path string) (*os.File, fileID, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, fileID{}, fmt.Errorf("open the hold file %s: %w", path, err)
	}
	f := os.NewFile(uintptr(fd), path)
	var is unix.Stat_t
	if err = unix.Fstat(fd, &is); err != nil {
		err = fmt.Errorf("look at the hold file: %w", err)
	} else if is.Mode&unix.S_IFMT != unix.S_IFREG {
		err = fmt.Errorf("open the hold file %s: not a regular file: remove it", path)
	} else if err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrHeld
		}
		err = fmt.Errorf("lock %s: %w", path, err)
	}
	if err != nil {
		return nil, fileID{}, errors.Join(err, f.Close())
	}
	return f, idOf(is), nil
}

func idOf(st unix.Stat_t) fileID {
	return fileID{Device: uint64(st.Dev), Inode: st.Ino} //nolint:unconvert // 32 bits wide on some machines
}

// Load returns what the process before left under that key. It answers false for a file that is new, torn, copied, or of
// another boot or key, and for a term that ends after longest, the renew deadline from now: none of ours can.
func (h *Hold) Load(key HoldKey, now, longest bootclock.Instant) (HoldState, bool) {
	b, err := io.ReadAll(io.NewSectionReader(h.file, 0, holdSize+1))
	if err != nil {
		return HoldState{}, false
	}
	s, ok := decodeHold(b, h.bootID, key, h.self)
	if !ok || longest.Before(s.ValidUntil) {
		return HoldState{}, false
	}
	s.Leading = s.Leading && now.Before(s.ValidUntil)
	return s, true
}

// Save writes s under that key. It does not sync: the hold must outlive the process, not the machine. After an error the file
// may hold what it held before, or be void, but no believable mix of both. A hold that is not leading and cannot be written
// empties the file, which says the same: then Save succeeds.
func (h *Hold) Save(key HoldKey, s HoldState) error {
	b, err := encodeHold(holdRecord{BootID: h.bootID, HoldKey: key, fileID: h.self, HoldState: s})
	if err != nil {
		return err
	}
	return writeHold(h.file, b, s.Leading)
}

// writeHold replaces the file's content. Emptying a file needs no room.
func writeHold(f holdWriter, b []byte, leading bool) error {
	_, err := f.WriteAt(b, 0)
	if err == nil {
		err = f.Truncate(int64(len(b))) // what lay there before may have been longer
	}
	if err == nil {
		return nil
	}
	err = fmt.Errorf("write the hold file: %w", err)
	if leading {
		return err
	}
	if emptied := f.Truncate(0); emptied != nil {
		return errors.Join(err, fmt.Errorf("empty the hold file: %w", emptied))
	}
	return nil
}

// Close lets go of the lock. The file stays: unlinking it would let two processes lock two files of one name.
func (h *Hold) Close() error {
	if err := h.file.Close(); err != nil {
		return fmt.Errorf("close the hold file: %w", err)
	}
	return nil
}
