//go:build linux

package dir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// pollInterval is the longest that a change goes unseen where inotify misses it. Each poll costs one stat.
const pollInterval = 500 * time.Millisecond

// An editor is given 200 ms to write a file in place.
const (
	tornLooks = 4
	tornPause = 50 * time.Millisecond
)

// Watch implements [lease.Store]. It delivers the newest state, and before it the last deletion, where those are past from:
// states that came and went between two looks are skipped. It ends when the directory is lost or the file cannot be read.
func (s *Store) Watch(ctx context.Context, from lease.Version, connected func(), deliver func(lease.Event)) error {
	hints, end := s.hints()
	defer end()
	for first := true; ; first = false {
		before := s.files.glimpse()
		state, err := s.look(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("watch the Lease: %w", err)
		}
		if first && connected != nil {
			connected()
		}
		events, err := state.since(from)
		if err != nil {
			return fmt.Errorf("watch the Lease: %w", err)
		}
		for _, e := range events {
			from = e.Record.Version
			deliver(e)
		}
		s.waitForChange(ctx, hints, before)
	}
}

// look reads the state. It reads a torn file again before it reports that: an editor may be writing it in place.
func (s *Store) look(ctx context.Context) (state ledger, err error) {
	for again := tornLooks; ; again-- {
		err = s.locked(ctx, func(l ledger) error {
			state = l
			return nil
		})
		if again == 0 || !errors.Is(err, errTorn) {
			return state, err
		}
		_ = bootclock.Sleep(ctx, bootclock.System{}, tornPause) // an error shows at the lock
	}
}

// waitForChange returns when the Lease's file may have changed, or ctx has ended.
func (s *Store) waitForChange(ctx context.Context, hints *fsnotify.Watcher, before fs.FileInfo) {
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-hints.Events:
			if e.Name == s.files.lease || e.Name == s.files.dir {
				return
			}
		case err := <-hints.Errors:
			s.log.Debug("file notifications were lost, looking instead", "error", err)
			return
		case <-poll.C:
			if !same(before, s.files.glimpse()) {
				return
			}
		}
	}
}

// hints show early that a file may have changed. A watcher without channels stands for none: then the poll finds out.
func (s *Store) hints() (hints *fsnotify.Watcher, end func() error) {
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		if err = watcher.Add(s.files.dir); err == nil {
			return watcher, watcher.Close
		}
		_ = watcher.Close()
	}
	s.log.Warn("no file notifications, changes are seen by polling: raise fs.inotify.max_user_instances",
		"reason", "NoFileNotifications", "interval", pollInterval, "error", err)
	return &fsnotify.Watcher{}, func() error { return nil }
}

// glimpse is what a stat shows of the Lease's file; nil where there is none to be seen.
func (f files) glimpse() fs.FileInfo {
	info, err := os.Lstat(f.lease)
	if err != nil {
		return nil
	}
	return info
}

// same reports whether nothing shows that the file has changed: it is the same one, as long and as old.
func same(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == b
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
