package file

import (
	"errors"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// Adopt puts the directory right at start, under the directory's lock and before the first level: it removes what a
// dead sidecar left half done, and the leader file, unless that is a valid one of the same candidate. self says who
// that is, by Lease, Namespace and Identity, and by Token which term may be resumed: the hold file's, "" for none. A copy of the
// directory, or one that was used with another store, has no such hold. A file is valid when it and the document beside it
// agree on that token, and the document is of this boot and its term runs. A running term that is not valid so loses its
// document too: whoever wrote it is dead, as it had the lock, or wrote it elsewhere.
//
// It returns the leadership that was left standing, which ends at its ValidUntil unless a level says more; not
// leading when none was.
func (f *Signal) Adopt(self leadership.Leadership) (leadership.Leadership, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	swept := f.volume.sweep()
	found, err := leadership.Read(f.volume.path)
	running := err == nil && found.IsLeader
	ours := found.Lease == self.Lease && found.Namespace == self.Namespace && found.Identity == self.Identity
	if running && ours && found.Token == self.Token && f.says(found.Token) {
		f.log.Info("leading on from before the restart until the Lease says more",
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
