package elector

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

func openHold(t *testing.T, dir string) *Hold {
	t.Helper()
	h, err := OpenHold(dir, "acme-1")
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
		if err := h.Save(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	got, ok := openHold(t, dir).Load(1000, 10_000)
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
	if _, err := OpenHold(dir, "acme-1"); !errors.Is(err, ErrHeld) {
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
	if err := os.Symlink(target, filepath.Join(dir, ".acme-1.hold")); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenHold(dir, "acme-1"); err == nil {
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
			if err := h.Save(someHold); err != nil {
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
			got, ok := h.Load(tt.now, tt.longest)
			if ok != tt.loads || got.Leading != tt.leads {
				t.Errorf("loads %v leading %v, want %v %v", ok, got.Leading, tt.loads, tt.leads)
			}
		})
	}
}

func TestHoldOfAnotherBootIsVoid(t *testing.T) {
	b, err := encodeHold("this-boot", someHold)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decodeHold(b, "that-boot"); !errors.Is(err, errTorn) {
		t.Errorf("got %v, want errTorn", err)
	}
	if _, err := decodeHold(b, "this-boot"); err != nil {
		t.Errorf("its own boot's is refused: %v", err)
	}
}
