package leadership

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock/clocktest"
)

// stopped is a clock that stands still.
func stopped(now bootclock.Instant) bootclock.Clock {
	c := clocktest.NewHand()
	c.Set(now)
	return c
}

func writeState(t *testing.T, dir string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, StateFile), b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestRead(t *testing.T) {
	until := leading().ValidUntil
	gone := leading().At(until)
	foreign := standby()
	foreign.Leader = ""
	for _, tc := range []struct {
		name   string
		l      Leadership
		now    bootclock.Instant
		bootID string
		want   Leadership
	}{
		{"leading", leading(), until - 1, boot, leading()},
		{"at the deadline", leading(), until, boot, gone},
		{"standby", standby(), until, boot, standby()},
		{"draining", draining(), until - 1, boot, draining()},
		{"another boot", leading(), 1, "another", foreign},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			b, err := json.Marshal(tc.l)
			if err != nil {
				t.Fatal(err)
			}
			writeState(t, dir, b)
			got, err := read(dir, stopped(tc.now), tc.bootID)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestReadOfNoFile: a caller can distinguish a sidecar that has not started from a broken document.
func TestReadOfNoFile(t *testing.T) {
	if got, err := Read(t.TempDir()); got != (Leadership{}) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %+v, %v; want nothing, and %v", got, err, fs.ErrNotExist)
	}
}
