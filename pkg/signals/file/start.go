//go:build linux

package file

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// CheckDir returns an error if the directory does not exist, is no directory, or is not writable for this process. It
// changes nothing. The error says how to fix the fault. A full volume passes.
func CheckDir(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = unix.ENOTDIR
	}
	if err == nil {
		err = checkWritable(dir)
	}
	if err != nil {
		return fmt.Errorf("use signal directory %s: %w", dir, withFixAtStart(err))
	}
	return nil
}

// checkWritable asks the kernel, with this process's effective rights. The kernel also answers for read-only mounts and
// immutable directories, even to root. The access call of some sandboxes does not, so the mount is checked as well.
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

// Adopt cleans up what a dead sidecar left. The caller holds the directory's lock and has not called Apply yet.
//
// It removes unfinished files. It keeps the leader file and the document only if they belong to a term that may be resumed:
//   - the document names self's Lease, Namespace and Identity, is of this boot, and its term is running;
//   - both files hold self.Token, the token of the hold file. It is "" if there is no such hold, as in a copied directory.
//
// Otherwise it removes the leader file, and the document if its term is running.
//
// It returns the leadership it kept, which ends at its ValidUntil unless Apply comes first, or the zero value, which does
// not lead. The error names what could not be removed.
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

func (f *Signal) says(token string) bool {
	content, err := f.volume.read(leadership.LeaderFile)
	return err == nil && string(content) == line(token)
}
