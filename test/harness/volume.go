//go:build linux

package harness

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// volumeBytes is the size of a volume: room for the files of one sidecar with one of them being replaced, a page each.
const volumeBytes = "24k"

// ballast is the file that takes the room of a full volume.
const ballast = "ballast"

// immutable is the flag FS_IMMUTABLE_FL of linux/fs.h.
const immutable = 0x10

// Volume is a file system of a few KiB in memory, mounted for the test alone, for a signal directory. It needs root.
//
// Its methods report a fault to the test and go on.
type Volume struct {
	// Dir is where it is mounted.
	Dir string

	t testing.TB
}

// NewVolume mounts an empty volume. It goes with the test.
func NewVolume(t testing.TB) *Volume {
	t.Helper()
	v := &Volume{Dir: t.TempDir(), t: t}
	err := unix.Mount("lease-sidecar-test", v.Dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=755,size="+volumeBytes)
	if err != nil {
		t.Fatalf("mount a volume: %v (it takes root)", err)
	}
	t.Cleanup(func() {
		// Lazily, as a sidecar that this cleanup does not know of may still have it open.
		if err := unix.Unmount(v.Dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount the volume: %v", err)
		}
	})
	return v
}

// Fill takes all the room that is left.
func (v *Volume) Fill() {
	v.t.Helper()
	f, err := os.OpenFile(filepath.Join(v.Dir, ballast), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		v.t.Errorf("fill the volume: %v", err)
		return
	}
	defer func() { _ = f.Close() }()
	for block := make([]byte, 512); err == nil; {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		v.t.Errorf("fill the volume: %v", err)
	}
}

// Free gives back the room that Fill took.
func (v *Volume) Free() {
	v.t.Helper()
	if err := os.Remove(filepath.Join(v.Dir, ballast)); err != nil {
		v.t.Errorf("free the volume: %v", err)
	}
}

// Lock makes the directory, and every file that is in it, unchangeable, for root too: nothing can be made, removed,
// renamed, or given another time. The kernel refuses to remount a volume read-only while files are open for writing, as
// the sidecar's hold is; this is what a volume does to its users that the kernel itself has made read-only.
func (v *Volume) Lock() {
	v.t.Helper()
	v.each(func(flags int) int { return flags | immutable })
}

// Unlock makes it writable again.
func (v *Volume) Unlock() {
	v.t.Helper()
	v.each(func(flags int) int { return flags &^ immutable })
}

// each changes the flags of the directory and, after it, of what is in it.
func (v *Volume) each(change func(flags int) int) {
	v.t.Helper()
	paths := []string{v.Dir}
	for i := 0; i < len(paths); i++ {
		if err := setFlags(paths[i], change); err != nil {
			v.t.Errorf("change the flags of %s: %v", paths[i], err)
			return
		}
		if i > 0 {
			continue
		}
		entries, err := os.ReadDir(v.Dir) // now that the directory is locked, or before anything in it is not
		if err != nil {
			v.t.Errorf("list the volume: %v", err)
			return
		}
		for _, entry := range entries {
			paths = append(paths, filepath.Join(v.Dir, entry.Name()))
		}
	}
}

func setFlags(path string, change func(int) int) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil // renamed away in the moment after the directory was unlocked
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	flags, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err != nil {
		return err
	}
	return unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, change(flags))
}

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
