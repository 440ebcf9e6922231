package leadership

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

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

// On the machine's own clock: a deadline ahead leads, one just behind does not.
func TestReadBySystemClock(t *testing.T) {
	id, err := bootclock.ID()
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		ahead time.Duration
		want  bool
	}{"ahead": {time.Hour, true}, "behind": {-time.Millisecond, false}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := leading()
			l.BootID, l.ValidUntil = id, bootclock.System{}.Now().Add(tc.ahead)
			b, err := json.Marshal(l)
			if err != nil {
				t.Fatal(err)
			}
			writeState(t, dir, b)
			if got, err := Read(dir); err != nil || got.IsLeader != tc.want {
				t.Errorf("got %+v, %v; want leader %v", got, err, tc.want)
			}
		})
	}
}

func TestReadFailsClosed(t *testing.T) {
	whole := documents["leading"].text
	state := func(dir string) string { return filepath.Join(dir, StateFile) }
	for name, tc := range map[string]struct {
		prepare func(dir string) error
		is      error
	}{
		"no directory": {func(dir string) error { return os.Remove(dir) }, fs.ErrNotExist},
		"no file":      {func(string) error { return nil }, fs.ErrNotExist},
		"empty":        {func(dir string) error { return os.WriteFile(state(dir), nil, 0o644) }, nil},
		"half":         {func(dir string) error { return os.WriteFile(state(dir), []byte(whole[:100]), 0o644) }, nil},
		"garbage":      {func(dir string) error { return os.WriteFile(state(dir), []byte("yes"), 0o644) }, nil},
		"too large": {func(dir string) error {
			return os.WriteFile(state(dir), []byte(whole+strings.Repeat(" ", DocumentMax)), 0o644)
		}, nil},
		"a directory": {func(dir string) error { return os.Mkdir(state(dir), 0o755) }, nil},
		"a pipe":      {func(dir string) error { return syscall.Mkfifo(state(dir), 0o644) }, nil},
		"a link": {func(dir string) error {
			if err := os.WriteFile(filepath.Join(dir, "other"), []byte(whole), 0o644); err != nil {
				return err
			}
			return os.Symlink("other", state(dir))
		}, syscall.ELOOP},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "signal")
			if err := errors.Join(os.Mkdir(dir, 0o755), tc.prepare(dir)); err != nil {
				t.Fatal(err)
			}
			got, err := read(dir, stopped(1), boot)
			if err == nil || (tc.is != nil && !errors.Is(err, tc.is)) {
				t.Errorf("got error %v; want %v", err, tc.is)
			}
			if diff := cmp.Diff(Leadership{}, got); diff != "" {
				t.Errorf("an error came with a value (-want +got)\n%s", diff)
			}
		})
	}
}
