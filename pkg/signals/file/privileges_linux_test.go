package file

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// unprivileged takes from the calling thread what lets root pass over permissions, until the test ends, so that the
// tests below mean the same for every user.
func unprivileged(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var before [2]unix.CapUserData
	if err := unix.Capget(&header, &before[0]); err != nil {
		t.Fatal(err)
	}
	without := before
	without[0].Effective &^= 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH
	if err := unix.Capset(&header, &without[0]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Capset(&header, &before[0]); err != nil {
			t.Error(err)
		}
		runtime.UnlockOSThread()
	})
}

func readOnly(t *testing.T, dir string) {
	t.Helper()
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o755) })
}

// TestLeaderFileThatCannotBeRemovedLooksOld: the directory has become read-only under a leader.
func TestLeaderFileThatCannotBeRemovedLooksOld(t *testing.T) {
	for _, adopted := range []bool{false, true} {
		dir, clock := t.TempDir(), newClock()
		f := openFile(t, dir, clock)
		apply(t, f, clock.term("5", 10*time.Second))
		if adopted {
			f = openFile(t, dir, clock) // another process's: no descriptor is held
		}
		unprivileged(t)
		readOnly(t, dir)
		err := f.Apply(t.Context(), clock.standby())
		if err == nil || !strings.Contains(err.Error(), "fsGroup") || !strings.Contains(err.Error(), "remove leader") {
			t.Errorf("adopted %v: Apply: %v, want an error that says what is left and the fix", adopted, err)
		}
		if got, want := seenLeader(t, dir), `"5\n" until 00:00:00`; got != want {
			t.Errorf("adopted %v: %s, want %s", adopted, got, want)
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		apply(t, f, clock.standby())
		wantSeen(t, dir, "no leader file", "standby")
	}
}
