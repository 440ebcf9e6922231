//go:build linux

package file

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// CheckDir returns an error where the directory cannot be used: it does not exist, is no directory, or this process may not
// write to it. It changes nothing. The error says how to fix the fault. A full volume passes.
func CheckDir(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = unix.ENOTDIR
	}
	if err == nil {
		err = checkWritable(dir)
	}
	if err != nil {
		return fmt.Errorf("use signal directory %s: %w", dir, withFix(err))
	}
	return nil
}

// checkWritable asks the kernel, with the rights that this process acts by. The kernel answers for a read-only mount and
// an immutable directory too, also to root; the access call of some sandboxes does not, so the mount is asked as well.
func checkWritable(dir string) error {
	if err := unix.Faccessat(unix.AT_FDCWD, dir, unix.R_OK|unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return err
	}
	var mount unix.Statfs_t
	if err := unix.Statfs(dir, &mount); err != nil {
		return err
	}
	if mount.Flags&unix.ST_RDONLY != 0 {
		return unix.EROFS
	}
	return nil
}

// Adopt decides what becomes of the files that a dead sidecar left. The caller has the directory's lock, so whoever wrote
// them is dead or wrote them elsewhere, and has not called Apply yet.
//
// Unfinished files are removed. The leader file and the document stay where they speak of a term that may be resumed: self
// names this candidate by Lease, Namespace and Identity, and the term by the Token of its hold file ("" for none; a copy of
// the directory, or one that was used with another store, has no such hold); both files say that token; and the document is
// of this boot and its term runs. Otherwise the leader file is removed, and so is a document whose term runs.
//
// It returns the leadership that stands, which ends at its ValidUntil unless Apply comes first; the zero value, which does
// not lead, when none does. The error says what could not be removed.
func (f *Signal) Adopt(self leadership.Leadership) (leadership.Leadership, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	swept := f.volume.sweep()
	found, err := leadership.Read(f.volume.path)
	running := err == nil && found.IsLeader
	ours := found.Lease == self.Lease && found.Namespace == self.Namespace && found.Identity == self.Identity
	if running && ours && found.Token == self.Token && f.says(found.Token) {
		f.log.Info("keeping the term of before the restart until the Lease has been read", "reason", "TermAdopted",
			"lease", found.Lease, "token", found.Token, "valid_until", found.ValidUntilWall)
		return found, swept
	}
	removed := f.volume.remove(leadership.LeaderFile)
	if removed != nil {
		f.makeOld()
	}
	if running {
		removed = errors.Join(removed, f.volume.remove(leadership.StateFile))
	}
	return leadership.Leadership{}, errors.Join(swept, removed)
}

// says reports whether the leader file in the directory holds the token.
func (f *Signal) says(token string) bool {
	content, err := f.volume.read(leadership.LeaderFile)
	return err == nil && string(content) == line(token)
}
