//go:build linux

package dir

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// TestPollNeedsNoNotifications waits for changes with inotify gone.
func TestPollNeedsNoNotifications(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(s *Store) error
		want   bool
	}{
		{"nothing", func(*Store) error { return nil }, false},
		{"another Lease", func(s *Store) error { return os.WriteFile(s.files.dir+"/default.other.json", nil, 0o600) }, false},
		{"removed", func(s *Store) error { return os.Remove(s.files.lease) }, true},
		{"longer", func(s *Store) error { return os.Truncate(s.files.lease, 10_000) }, true},
		{"touched", func(s *Store) error { return os.Chtimes(s.files.lease, time.Time{}, time.Unix(1, 0)) }, true},
		{"replaced", func(s *Store) error {
			info, err := os.Stat(s.files.lease)
			data, readErr := os.ReadFile(s.files.lease)
			copied := s.files.lease + ".new"
			err = errors.Join(err, readErr, os.WriteFile(copied, data, 0o600))
			if err == nil {
				err = os.Chtimes(copied, time.Time{}, info.ModTime())
			}
			return errors.Join(err, os.Rename(copied, s.files.lease))
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, err := New(t.TempDir(), "default", "acme-1", slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatalf("new store: %v", err)
			}
			if _, err := s.Create(t.Context(), lease.Record{}); err != nil {
				t.Fatalf("create: %v", err)
			}
			before := s.files.glimpse()
			if err := c.change(s); err != nil {
				t.Fatalf("change: %v", err)
			}
			patience := 3 * pollInterval
			if c.want {
				patience = 30 * time.Second
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			s.waitForChange(ctx, &fsnotify.Watcher{}, before)
			if got := ctx.Err() == nil; got != c.want {
				t.Errorf("saw a change: %v, want %v", got, c.want)
			}
		})
	}
}
