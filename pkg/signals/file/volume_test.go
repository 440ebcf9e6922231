//go:build linux

package file

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership/leadershiptest"
)

func TestLinksAreNotFollowed(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	outside := t.TempDir()
	victim := filepath.Join(outside, "victim")
	write(t, outside, "victim", "precious")
	write(t, dir, "inside", "precious")
	old := time.Unix(1_000_000, 0)
	for _, path := range []string{victim, filepath.Join(dir, "inside")} {
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	link := func(to, name string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
	}
	untouched := func(after string) {
		t.Helper()
		for _, path := range []string{victim, filepath.Join(dir, "inside")} {
			content, err := os.ReadFile(path)
			info, statErr := os.Stat(path)
			if err != nil || statErr != nil || string(content) != "precious" || !info.ModTime().Equal(old) {
				t.Errorf("%s: %s holds %q since %s (%v, %v)", after, path, content, info.ModTime(), err, statErr)
			}
		}
	}
	f := openFile(t, dir, clock)
	for _, to := range []string{victim, "inside"} {
		link(to, leadership.LeaderFile)
		link(to, leadership.StateFile)
		apply(t, f, clock.term("5", 10*time.Second))
		untouched("gain")
		wantSeen(t, dir, `"5\n" until 10:00:10.12`, "leader 5")

		link(to, leadership.LeaderFile)
		apply(t, f, clock.term("5", 11*time.Second))
		untouched("renewal")
		wantSeen(t, dir, `"5\n" until 10:00:11.12`, "leader 5")

		link(to, leadership.LeaderFile)
		link(to, leadership.StateFile)
		apply(t, f, clock.standby())
		untouched("loss")
		wantSeen(t, dir, "no leader file", "standby")

		link(to, leadership.LeaderFile)
		f.makeOld()
		untouched("ageing")
	}
}

func TestWhatCannotBeReplacedIsAnErrorThatSaysSo(t *testing.T) {
	for _, name := range []string{leadership.LeaderFile, leadership.StateFile} {
		t.Run(name, func(t *testing.T) {
			dir, clock := t.TempDir(), newClock()
			f := openFile(t, dir, clock)
			if err := os.MkdirAll(filepath.Join(dir, name, "full"), 0o755); err != nil {
				t.Fatal(err)
			}
			for _, l := range []leadership.Leadership{clock.term("5", time.Second), clock.standby()} {
				err := f.Apply(t.Context(), l)
				if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "remove it") {
					t.Errorf("Apply %s: %v, want an error that names %s and the fix", leadershiptest.Text(l), err, name)
				}
				again := f.Apply(t.Context(), l)
				if again == nil || err.Error() != again.Error() {
					t.Errorf("the same fault reads\n%v, then\n%v: it would be logged each time", err, again)
				}
			}
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
			apply(t, f, clock.term("5", time.Second))
			wantSeen(t, dir, `"5\n" until 10:00:01.12`, "leader 5")
		})
	}
}

func TestRemovedDirectoryIsAnError(t *testing.T) {
	dir, clock := filepath.Join(t.TempDir(), "signals"), newClock()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f := openFile(t, dir, clock)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil { // somebody else's now: our lock is not in it
		t.Fatal(err)
	}
	err := f.Apply(t.Context(), clock.term("5", time.Second))
	if err == nil || !strings.Contains(err.Error(), "restart the sidecar") {
		t.Errorf("Apply: %v, want an error that says to restart", err)
	}
	if got := names(t, dir); got != nil {
		t.Errorf("wrote %v to a directory that was not the one opened", got)
	}
}

func TestErrorsSayHowToFixTheFault(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{syscall.EROFS, "mount the volume writable"},
		{syscall.ENOSPC, "raise its sizeLimit"},
		{syscall.EDQUOT, "raise its sizeLimit"},
		{syscall.EACCES, "fsGroup"},
		{syscall.EPERM, "fsGroup"},
		{syscall.EISDIR, "something else is in its place"},
		{syscall.ENOTDIR, "name one"},
		{syscall.ENOENT, "restart the sidecar"},
	} {
		wrapped := &fs.PathError{Op: "openat", Path: tempPrefix + "random", Err: c.err}
		got := withFix(wrapped)
		if !errors.Is(got, c.err) || !strings.Contains(got.Error(), c.want) || strings.Contains(got.Error(), "random") {
			t.Errorf("withFix(%v) = %q, want %v and %q without the path", wrapped, got, c.err, c.want)
		}
	}
	for name, check := range map[string]func(dir string) error{
		"CheckDir": CheckDir,
		"New":      func(dir string) error { _, err := New(dir, newClock(), nil); return err },
	} {
		err := check(filepath.Join(t.TempDir(), "missing"))
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "the directory does not exist: make it") || strings.Contains(err.Error(), "gone") {
			t.Errorf("%s of a directory that never existed: %v, want an error that says so, and how to fix it", name, err)
		}
	}
	if plain := errors.New("odd"); !errors.Is(withFix(plain), plain) || withFix(plain).Error() != "odd" {
		t.Errorf("withFix(%v) = %v, want it unchanged", plain, withFix(plain))
	}
	if slices.Contains([]string{"", " "}, withFix(syscall.EIO).Error()) {
		t.Error("a reason without a fix lost its text")
	}
}

// TestAnyOrderOfLeadershipsAndTampering: after each leadership that was applied, the directory says that and nothing else.
func TestAnyOrderOfLeadershipsAndTampering(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		clock := newClock()
		f := openFile(t, dir, clock)
		defer f.Close()
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			tamper(rt, dir)
			l := clock.standby()
			if rapid.Bool().Draw(rt, "leads") {
				token := rapid.SampledFrom([]string{"1", "2"}).Draw(rt, "token")
				l = clock.term(token, time.Duration(rapid.IntRange(-1, 2).Draw(rt, "left"))*time.Second)
			}
			if err := f.Apply(t.Context(), l); err != nil {
				rt.Fatalf("Apply: %v", err)
			}
			want := []string{"no leader file", "standby"}
			if l = l.At(clock.Hand.Now()); l.IsLeader {
				until := l.ValidUntilWall.Format("15:04:05.999999")
				want = []string{strconv.Quote(l.Token+"\n") + " until " + until, "leader " + l.Token}
			}
			if diff := cmp.Diff(want, seen(t, dir)); diff != "" {
				rt.Fatalf("the directory (-want +got):\n%s", diff)
			}
		}
	})
}

func tamper(rt *rapid.T, dir string) {
	name := rapid.SampledFrom([]string{leadership.LeaderFile, leadership.StateFile}).Draw(rt, "name")
	path := filepath.Join(dir, name)
	switch rapid.SampledFrom([]string{"leave", "remove", "write", "link", "directory"}).Draw(rt, "tamper") {
	case "remove":
		_ = os.Remove(path)
	case "write":
		_ = os.WriteFile(path, []byte("1\n"), 0o600)
	case "link":
		_ = os.Remove(path)
		_ = os.Symlink("nowhere", path)
	case "directory":
		// An empty one where a file is to be made cannot be renamed over; where one is to be removed it goes.
		if name == leadership.LeaderFile {
			_ = os.Remove(path)
		}
	}
}
