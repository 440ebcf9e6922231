//go:build linux

package harness

import (
	"errors"
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
