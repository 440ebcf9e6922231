package file

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership/leadershiptest"
)

// handClock is a clock that a test moves by hand.
type handClock struct {
	now  bootclock.Instant
	wall time.Time
	// after, where set, is read from the given reading on, counted from 1.
	after    bootclock.Instant
	from     int
	readings int
}

func (c *handClock) Wall() time.Time { return c.wall }

// NewTimer returns a timer that looks at this clock.
func (c *handClock) NewTimer() bootclock.Timer { return bootclock.NewPolledTimer(c.Now, 0) }

func (c *handClock) Now() bootclock.Instant {
	c.readings++
	if c.from > 0 && c.readings >= c.from {
		return c.after
	}
	return c.now
}

func newClock() *handClock {
	return &handClock{now: 100e9, wall: time.Date(2026, 11, 22, 10, 0, 0, 120_000_000, time.UTC)}
}

// term is a level of a running term that ends d after the clock's time.
func (c *handClock) term(token string, d time.Duration) leadership.Leadership {
	return leadership.Leadership{
		Lease: "acme-1", Namespace: "default", Identity: "web-1_id", BootID: "boot",
		IsLeader: true, Leader: "web-1", Token: token, Since: c.wall,
		ValidUntil: c.now.Add(d), ValidUntilWall: c.wall.Add(d),
	}
}

func (c *handClock) standby() leadership.Leadership {
	return leadership.Leadership{Lease: "acme-1", Namespace: "default", Identity: "web-1_id", BootID: "boot"}
}

func openFile(t testing.TB, dir string, clock bootclock.Clock) *Signal {
	t.Helper()
	f, err := New(dir, clock, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func apply(t testing.TB, f *Signal, l leadership.Leadership) {
	t.Helper()
	if err := f.Apply(t.Context(), l); err != nil {
		t.Fatalf("Apply: %v", err)
	}
}

// seen is what a reader finds in the directory: "leader 5 until 10:00:10.12", or "nobody", and what the document says.
func seen(t testing.TB, dir string) []string {
	t.Helper()
	return []string{seenLeader(t, dir), seenState(t, dir)}
}

func seenLeader(t testing.TB, dir string) string {
	t.Helper()
	path := filepath.Join(dir, leadership.LeaderFile)
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "no leader file"
	}
	if err != nil {
		t.Fatal(err)
	}
	if !info.Mode().IsRegular() {
		return "leader is " + info.Mode().Type().String()
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Quote(string(content)) + " until " + info.ModTime().UTC().Format("15:04:05.999999")
}

func seenState(t testing.TB, dir string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, leadership.StateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return "no document"
	}
	if err != nil {
		t.Fatal(err)
	}
	var l leadership.Leadership
	if err := json.Unmarshal(content, &l); err != nil {
		t.Fatalf("document %s: %v", content, err)
	}
	return leadershiptest.Text(l)
}

func wantSeen(t testing.TB, dir string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, seen(t, dir)); diff != "" {
		t.Errorf("the directory (-want +got):\n%s", diff)
	}
}

func write(t testing.TB, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func names(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		found = append(found, e.Name())
	}
	return found
}

func TestFileFollowsTheLevel(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	f := openFile(t, dir, clock)
	if got := names(t, dir); got != nil {
		t.Fatalf("opening made %v", got)
	}
	apply(t, f, clock.standby())
	wantSeen(t, dir, "no leader file", "standby")

	apply(t, f, clock.term("48213", 10*time.Second))
	wantSeen(t, dir, `"48213\n" until 10:00:10.12`, "leader 48213")
	first := inode(t, dir)

	clock.now, clock.wall = clock.now.Add(3*time.Second), clock.wall.Add(3*time.Second)
	apply(t, f, clock.term("48213", 10*time.Second))
	wantSeen(t, dir, `"48213\n" until 10:00:13.12`, "leader 48213")
	if inode(t, dir) != first {
		t.Error("a renewal replaced the leader file; only its time should change")
	}

	apply(t, f, clock.term("48300", 10*time.Second))
	wantSeen(t, dir, `"48300\n" until 10:00:13.12`, "leader 48300")
	if inode(t, dir) == first {
		t.Error("a new term wrote into the old leader file")
	}

	apply(t, f, clock.standby())
	wantSeen(t, dir, "no leader file", "standby")
	if diff := cmp.Diff([]string{leadership.StateFile}, names(t, dir)); diff != "" {
		t.Errorf("left in the directory (-want +got):\n%s", diff)
	}
}

func inode(t testing.TB, dir string) uint64 {
	t.Helper()
	info, err := os.Lstat(filepath.Join(dir, leadership.LeaderFile))
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Ino
}

func TestFilesCanBeReadByOtherUsers(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	dir, clock := t.TempDir(), newClock()
	apply(t, openFile(t, dir, clock), clock.term("5", time.Second))
	for _, name := range names(t, dir) {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o644 {
			t.Errorf("%s has mode %o, want 644", name, got)
		}
	}
}

// TestOrderOfTheFiles watches the directory as an application does.
func TestOrderOfTheFiles(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	f := openFile(t, dir, clock)
	apply(t, f, clock.standby())
	steps := watched(t, dir, func() {
		apply(t, f, clock.term("5", time.Second))
		apply(t, f, clock.term("6", time.Second))
		apply(t, f, clock.standby())
	})
	want := []string{
		"CREATE state.json", "CREATE leader", // gain
		"CREATE state.json", "CREATE leader", // a new term, with no removal between
		"REMOVE leader", "CREATE state.json", // loss
	}
	if diff := cmp.Diff(want, steps); diff != "" {
		t.Errorf("what a watch saw (-want +got):\n%s", diff)
	}
}

// watched returns what happened to the two files during do, in order. A rename into place is a CREATE.
func watched(t *testing.T, dir string, do func()) []string {
	t.Helper()
	watcher, err := fsnotify.NewBufferedWatcher(1000)
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Close()
	if err := watcher.Add(dir); err != nil {
		t.Fatal(err)
	}
	do()
	write(t, dir, "end", "")
	var steps []string
	for {
		select {
		case e := <-watcher.Events:
			name := filepath.Base(e.Name)
			if name == "end" {
				return steps
			}
			if !strings.HasPrefix(name, tempPrefix) && (e.Has(fsnotify.Create) || e.Has(fsnotify.Remove)) {
				steps = append(steps, e.Op.String()+" "+name)
			}
		case err := <-watcher.Errors:
			t.Fatal(err)
		case <-time.After(10 * time.Second):
			t.Fatal("the watch went silent")
		}
	}
}

func TestNewTermLeavesNoGap(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	f := openFile(t, dir, clock)
	apply(t, f, clock.term("1", time.Second))
	stop := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		last := 0
		for {
			content, err := os.ReadFile(filepath.Join(dir, leadership.LeaderFile))
			if err != nil {
				t.Errorf("between two terms: %v", err)
				return
			}
			token, err := strconv.Atoi(strings.TrimSuffix(string(content), "\n"))
			if err != nil || token < last {
				t.Errorf("read %q after token %d: %v", content, last, err)
				return
			}
			last = token
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	for token := range 300 {
		apply(t, f, clock.term(strconv.Itoa(token+1), time.Second))
	}
	close(stop)
	reader.Wait()
}

// TestLateApplyNeverSaysLeader is I1 for the files: the clock passes validUntil before, or while, they are written.
func TestLateApplyNeverSaysLeader(t *testing.T) {
	for _, c := range []struct {
		name string
		from int // the reading of the clock from which on the term is over
		want []string
	}{
		{"before it began", 1, []string{"CREATE state.json"}},
		{"before the leader file was renamed", 2, []string{"CREATE state.json", "CREATE state.json"}},
		{"after it", 3, []string{"CREATE state.json", "CREATE leader", "REMOVE leader", "CREATE state.json"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, clock := t.TempDir(), newClock()
			f := openFile(t, dir, clock)
			l := clock.term("5", 10*time.Second)
			clock.from, clock.after = c.from, l.ValidUntil
			steps := watched(t, dir, func() { apply(t, f, l) })
			if diff := cmp.Diff(c.want, steps); diff != "" {
				t.Errorf("what a watch saw (-want +got):\n%s", diff)
			}
			if err := os.Remove(filepath.Join(dir, "end")); err != nil {
				t.Fatal(err)
			}
			wantSeen(t, dir, "no leader file", "standby")
			if diff := cmp.Diff([]string{leadership.StateFile}, names(t, dir)); diff != "" {
				t.Errorf("left in the directory (-want +got):\n%s", diff)
			}
		})
	}
}

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

func TestForeignFileInPlaceOfOursIsReplaced(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	f := openFile(t, dir, clock)
	apply(t, f, clock.term("5", 10*time.Second))
	if err := os.Remove(filepath.Join(dir, leadership.LeaderFile)); err != nil {
		t.Fatal(err)
	}
	write(t, dir, leadership.LeaderFile, "666\n")
	apply(t, f, clock.term("5", 10*time.Second))
	wantSeen(t, dir, `"5\n" until 10:00:10.12`, "leader 5")
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
					t.Errorf("Apply %s: %v, want an error that names %s and the mend", leadershiptest.Text(l), err, name)
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

// TestAnyOrderOfLevelsAndTampering: after each level that was applied, the directory says that and nothing else.
func TestAnyOrderOfLevelsAndTampering(t *testing.T) {
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
			if l = l.At(clock.now); l.IsLeader {
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

func TestExplainSaysTheMend(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{syscall.EROFS, "mount the volume writable"},
		{syscall.ENOSPC, "raise its sizeLimit"},
		{syscall.EDQUOT, "raise its sizeLimit"},
		{syscall.EACCES, "fsGroup"},
		{syscall.EPERM, "fsGroup"},
		{syscall.EISDIR, "something else stands in its place"},
		{syscall.ENOTDIR, "set --signal-dir"},
		{syscall.ENOENT, "restart the sidecar"},
	} {
		wrapped := &fs.PathError{Op: "openat", Path: tempPrefix + "random", Err: c.err}
		got := explain(wrapped)
		if !errors.Is(got, c.err) || !strings.Contains(got.Error(), c.want) || strings.Contains(got.Error(), "random") {
			t.Errorf("explain(%v) = %q, want %v and %q without the path", wrapped, got, c.err, c.want)
		}
	}
	if plain := errors.New("odd"); !errors.Is(explain(plain), plain) || explain(plain).Error() != "odd" {
		t.Errorf("explain(%v) = %v, want it unchanged", plain, explain(plain))
	}
	if slices.Contains([]string{"", " "}, explain(syscall.EIO).Error()) {
		t.Error("a reason without a mend lost its text")
	}
}
