package elector

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

func openHold(t *testing.T, dir string) *Hold {
	t.Helper()
	h, err := OpenHold(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
	return h
}

var (
	someKey  = HoldKey{Namespace: "default", Lease: "acme-1", Store: "here", Identity: "web-0_pod"}
	someFile = fileID{Device: 1, Inode: 2}
)

var someHold = HoldState{
	UID: "u1", AcquireTime: time.Date(2026, 11, 22, 10, 0, 0, 123456000, time.UTC), ValidUntil: 5000, Leading: true,
	Token: "48213", Transitions: 7, Since: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC),
}

func TestHoldOutlivesItsProcess(t *testing.T) {
	dir := t.TempDir()
	h := openHold(t, dir)
	longer := someHold
	longer.Token = "4821399999999999999999999"
	for _, s := range []HoldState{longer, someHold} { // the second is shorter than what it overwrites
		if err := h.Save(someKey, s); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	got, ok := openHold(t, dir).Load(someKey, 1000, 10_000)
	if !ok {
		t.Fatal("nothing to load")
	}
	if diff := cmp.Diff(someHold, got); diff != "" {
		t.Errorf("hold (-want +got):\n%s", diff)
	}
}

func TestHoldIsALock(t *testing.T) {
	dir := t.TempDir()
	h := openHold(t, dir)
	if _, err := OpenHold(dir); !errors.Is(err, ErrHeld) {
		t.Errorf("second OpenHold: %v, want ErrHeld", err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	openHold(t, dir)
}

func TestHoldRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "elsewhere")
	if err := os.Symlink(target, filepath.Join(dir, HoldName)); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenHold(dir); err == nil {
		t.Error("a symbolic link was followed")
	}
	if _, err := os.Lstat(target); err == nil {
		t.Error("a file was made through a symbolic link")
	}
}

func TestHoldNotToBeResumed(t *testing.T) {
	tests := []struct {
		name         string
		spoil        func(b []byte) []byte
		now, longest bootclock.Instant
		loads, leads bool
	}{
		{name: "good", now: 1000, longest: 10_000, loads: true, leads: true},
		{name: "past its end", now: 5000, longest: 10_000, loads: true},
		{name: "promises more than a term", now: 1000, longest: 4999},
		{name: "torn", spoil: func(b []byte) []byte { return b[:len(b)-3] }, now: 1000, longest: 10_000},
		{name: "without its end", spoil: func(b []byte) []byte { return b[:len(b)-1] }, now: 1000, longest: 10_000},
		{name: "one bit off", spoil: func(b []byte) []byte { b[30] ^= 1; return b }, now: 1000, longest: 10_000},
		{name: "rest of a longer one", spoil: func(b []byte) []byte { return append(b, "}\n"...) }, now: 1000, longest: 10_000},
		{name: "empty", spoil: func([]byte) []byte { return nil }, now: 1000, longest: 10_000},
		{name: "garbage", spoil: func([]byte) []byte { return make([]byte, 1<<20) }, now: 1000, longest: 10_000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := openHold(t, t.TempDir())
			if err := h.Save(someKey, someHold); err != nil {
				t.Fatal(err)
			}
			if tt.spoil != nil {
				b, err := os.ReadFile(h.file.Name())
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(h.file.Name(), tt.spoil(b), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, ok := h.Load(someKey, tt.now, tt.longest)
			if ok != tt.loads || got.Leading != tt.leads {
				t.Errorf("loads %v leading %v, want %v %v", ok, got.Leading, tt.loads, tt.leads)
			}
		})
	}
}

// TestHoldOfAnotherIsVoid is I14: what a hold says is believed only by the candidate that wrote it, in the file that it
// wrote it to.
func TestHoldOfAnotherIsVoid(t *testing.T) {
	dir := t.TempDir()
	h := openHold(t, dir)
	if err := h.Save(someKey, someHold); err != nil {
		t.Fatal(err)
	}
	load := func(h *Hold, key HoldKey) bool {
		_, ok := h.Load(key, 1000, 10_000)
		return ok
	}
	if !load(h, someKey) {
		t.Fatal("its own hold is void")
	}
	for name, change := range map[string]func(*HoldKey){
		"namespace": func(k *HoldKey) { k.Namespace = "other" }, "Lease": func(k *HoldKey) { k.Lease = "acme-2" },
		"store": func(k *HoldKey) { k.Store = "there" }, "identity": func(k *HoldKey) { k.Identity = "web-0_fresh" },
	} {
		key := someKey
		change(&key)
		if load(h, key) {
			t.Errorf("the hold of another %s is believed", name)
		}
	}
	copied := t.TempDir()
	if out, err := exec.Command("cp", "-a", dir+"/.", copied).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if load(openHold(t, copied), someKey) {
		t.Error("the copy of a hold is believed")
	}
	if !load(h, someKey) {
		t.Error("after the copy its own hold is void")
	}
}

// fullVolume writes some bytes, and then finds no room.
type fullVolume struct {
	*os.File
	room     int
	emptying error
}

func (f *fullVolume) WriteAt(b []byte, at int64) (int, error) {
	n, err := f.File.WriteAt(b[:min(f.room, len(b))], at)
	return n, errors.Join(err, unix.ENOSPC)
}

func (f *fullVolume) Truncate(size int64) error {
	if f.emptying != nil {
		return f.emptying
	}
	return f.File.Truncate(size)
}

// TestHoldOnAFullVolume: however many bytes of "not leading" reach the file, it does not read as the leading hold that it
// replaces once Save has succeeded; and where Save fails, it is that old hold or void, never a mixture.
func TestHoldOnAFullVolume(t *testing.T) {
	over := someHold
	over.Leading = false
	for _, emptying := range []error{nil, unix.EIO} {
		for room := range holdSize {
			if room > 64 && room%97 != 0 && room < holdSize-64 {
				continue
			}
			h := openHold(t, t.TempDir())
			if err := h.Save(someKey, someHold); err != nil {
				t.Fatal(err)
			}
			b, err := encodeHold(holdRecord{BootID: h.bootID, HoldKey: someKey, fileID: h.self, HoldState: over})
			if err != nil {
				t.Fatal(err)
			}
			err = writeHold(&fullVolume{h.file, room, emptying}, b, false)
			if (err != nil) != (emptying != nil) {
				t.Fatalf("%d bytes, emptying fails with %v: %v", room, emptying, err)
			}
			got, ok := h.Load(someKey, 1000, 10_000)
			switch {
			case err == nil && got.Leading:
				t.Fatalf("%d bytes: Save went well, and the hold reads as leading", room)
			case ok && got != someHold && got != over:
				t.Fatalf("%d bytes: a mixture is believed: %+v", room, got)
			}
		}
	}
}

// TestHoldNeedsNoMoreRoomThanItHas: a volume without a free byte takes the next hold in place of the one before.
func TestHoldNeedsNoMoreRoomThanItHas(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatalf("mount a small tmpfs (as root): %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	h := openHold(t, dir)
	if err := h.Save(someKey, someHold); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "filler"), make([]byte, 1<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("filling the volume: %v, want ENOSPC", err)
	}
	over := someHold
	over.Leading, over.Token = false, "482139999999999999999999999999999999999999999999999999"
	if err := h.Save(someKey, over); err != nil {
		t.Fatalf("on a full volume: %v", err)
	}
	if got, ok := h.Load(someKey, 1000, 10_000); !ok || got != over {
		t.Errorf("got %+v, %v; want %+v", got, ok, over)
	}
}
