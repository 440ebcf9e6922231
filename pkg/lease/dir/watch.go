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

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// pollInterval is the longest that a change goes unseen where inotify misses it: one stat each time.
const pollInterval = 500 * time.Millisecond

// An editor is given 200 ms to write a file in place.
const (
	tornLooks = 4
	tornPause = 50 * time.Millisecond
)

// Watch implements [lease.Store]. It delivers the newest state, and before it the last deletion, where those are
// past from: states that came and went between two looks are skipped. It ends when the directory is lost, or the
// Lease's file cannot be read.
func (s *Store) Watch(ctx context.Context, from lease.Version, connected func(), deliver func(lease.Event)) error {
	hints := s.hints()
	defer hints.close()
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

// look reads the state, and counts what was done by hand. A file that makes no sense may be one that an editor is
// writing in place, so it is looked at again before that is reported.
func (s *Store) look(ctx context.Context) (ledger, error) {
	for again := tornLooks; ; again-- {
		state, err := s.lookOnce(ctx)
		if again == 0 || !errors.Is(err, errTorn) {
			return state, err
		}
		pause(ctx, tornPause)
	}
}

func (s *Store) lookOnce(ctx context.Context) (ledger, error) {
	lock, err := s.files.lock(ctx)
	if err != nil {
		return ledger{}, err
	}
	defer lock.release()
	return s.read()
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// waitForChange returns when the Lease's file may have changed, or ctx has ended.
func (s *Store) waitForChange(ctx context.Context, h *hints, before glimpse) {
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-h.events:
			if e.Name == s.files.lease || e.Name == s.files.dir {
				return
			}
		case err := <-h.errors:
			s.log.Debug("file notifications were lost, looking instead", "error", err)
			return
		case <-poll.C:
			if !s.files.glimpse().same(before) {
				return
			}
		}
	}
}

// hints show early that a file may have changed. Without them the poll finds out.
type hints struct {
	watcher *fsnotify.Watcher
	events  <-chan fsnotify.Event
	errors  <-chan error
}

func (s *Store) hints() *hints {
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		err = watcher.Add(s.files.dir)
	}
	if err != nil {
		s.log.Warn("no file notifications, changes are seen by polling: raise fs.inotify.max_user_instances",
			"reason", "NoFileNotifications", "interval", pollInterval.String(), "error", err)
		if watcher != nil {
			_ = watcher.Close()
		}
		return &hints{}
	}
	return &hints{watcher: watcher, events: watcher.Events, errors: watcher.Errors}
}

func (h *hints) close() {
	if h.watcher != nil {
		_ = h.watcher.Close()
	}
}

// glimpse is what a stat shows of the Lease's file.
type glimpse struct {
	info fs.FileInfo // nil: there is no file to be seen
}

func (f files) glimpse() glimpse {
	info, err := os.Lstat(f.lease)
	if err != nil {
		return glimpse{}
	}
	return glimpse{info}
}

// same reports whether nothing shows that the file has changed: it is the same one, as long and as old.
func (g glimpse) same(h glimpse) bool {
	if g.info == nil || h.info == nil {
		return g.info == h.info
	}
	return os.SameFile(g.info, h.info) && g.info.Size() == h.info.Size() && g.info.ModTime().Equal(h.info.ModTime())
}
