//go:build linux

package harness

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Unwritable lets the kernel refuse every write of a replica to any file from RefuseWrites on, and to nobody else's. It
// must be called before the replica is started.
//
// The limit on the size of files does it: a file's first byte is beyond a limit of 0. A full volume does not do the same:
// a file that has its page already can be written again. The signal that goes with the refusal is blocked, as the Go
// runtime would die of it; what is left is a write that fails.
func (s *Sidecar) Unwritable(t testing.TB) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "launch")
	script := fmt.Sprintf("#!/bin/sh\nexec env --block-signal=XFSZ '%s' \"$@\"\n", s.Binary)
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatalf("write the launcher: %v", err)
	}
	s.Binary = path
}

// RefuseWrites lets every write of the process to a file fail from here on, its log's too. It needs root, and Unwritable
// before the start. The next start of the process is not concerned.
func (s *Sidecar) RefuseWrites(t testing.TB) { s.limitFiles(t, 0) }

// AllowWrites lets files be written again.
func (s *Sidecar) AllowWrites(t testing.TB) { s.limitFiles(t, math.MaxUint64) }

func (s *Sidecar) limitFiles(t testing.TB, size uint64) {
	t.Helper()
	limit := unix.Rlimit{Cur: size, Max: math.MaxUint64}
	if err := unix.Prlimit(s.PID(), unix.RLIMIT_FSIZE, &limit, nil); err != nil {
		t.Fatalf("limit the files of %s: %v", s.Pod, err)
	}
}
