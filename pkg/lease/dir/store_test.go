//go:build linux

package dir

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// Every name that Kubernetes takes can be campaigned for, the longest namespace with it.
func TestLongestName(t *testing.T) {
	label := strings.Repeat("a", 63)
	name, err := naming.ParseLeaseName(strings.Repeat(label+".", 3) + strings.Repeat("a", 61))
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(t.TempDir(), label, string(name), slog.New(slog.DiscardHandler))
	if err == nil {
		_, err = s.Create(t.Context(), lease.Record{})
	}
	if err != nil {
		t.Error(err)
	}
}

func TestJudgeMedium(t *testing.T) {
	for _, c := range []struct {
		name            string
		kind            int64
		refused, warned bool
	}{
		{"ext4", unix.EXT4_SUPER_MAGIC, false, false},
		{"tmpfs", unix.TMPFS_MAGIC, false, false},
		{"overlay", unix.OVERLAYFS_SUPER_MAGIC, false, false},
		{"NFS", unix.NFS_SUPER_MAGIC, true, false},
		{"CIFS", unix.CIFS_SUPER_MAGIC, true, false},
		{"FUSE", unix.FUSE_SUPER_MAGIC, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log bytes.Buffer
			err := judgeMedium(c.kind, "/srv/leases", slog.New(slog.NewTextHandler(&log, nil)))
			if (err != nil) != c.refused {
				t.Errorf("error %v, want it refused: %v", err, c.refused)
			}
			if err != nil && !strings.Contains(err.Error(), "/srv/leases is on "+c.name) {
				t.Errorf("error %q does not name the directory and the file system", err)
			}
			if got := log.Len() > 0; got != c.warned {
				t.Errorf("logged %q, want a warning: %v", log.String(), c.warned)
			}
		})
	}
}
