//go:build linux

package file

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock/clocktest"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership/leadershiptest"
)

// handClock is a clock that a test moves by hand, and that can jump to after at a given reading.
type handClock struct {
	*clocktest.Hand
	after    bootclock.Instant
	from     int // the reading, counted from 1, from which on it shows after; 0: none
	readings int
}

func (c *handClock) Now() bootclock.Instant {
	c.readings++
	if c.from > 0 && c.readings >= c.from {
		return c.after
	}
	return c.Hand.Now()
}

// newClock returns a clock whose wall clock shows 10:00:00.12.
func newClock() *handClock {
	c := &handClock{Hand: clocktest.NewHand()}
	c.StepWall(120 * time.Millisecond)
	return c
}

// term is the leadership of a running term that ends d after the clock's time.
func term(c bootclock.Clock, token string, d time.Duration) leadership.Leadership {
	l := leadershiptest.Leading(c, token)
	l.ValidUntil, l.ValidUntilWall = c.Now().Add(d), c.Wall().Add(d)
	return l
}

func (c *handClock) term(token string, d time.Duration) leadership.Leadership {
	return term(c.Hand, token, d)
}

func (c *handClock) standby() leadership.Leadership { return leadershiptest.Standby("") }

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

func TestFilesFollowTheLeadership(t *testing.T) {
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

	clock.Advance(3 * time.Second)
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

// TestAnUnchangedDocumentIsLeftAlone: a standby is shown each renewal of the leader, and wakes no workload by it. What somebody else
// did to the document is put right by the next one.
func TestAnUnchangedDocumentIsLeftAlone(t *testing.T) {
	dir, clock := t.TempDir(), newClock()
	f := openFile(t, dir, clock)
	path := filepath.Join(dir, leadership.StateFile)
	for _, c := range []struct {
		name   string
		before func() error
		l      func() leadership.Leadership
		want   []string
	}{
		{"the first", func() error { return nil }, clock.standby, []string{"CREATE state.json"}},
		{"the same", func() error { return nil }, clock.standby, nil},
		{"written over", func() error { return os.WriteFile(path, []byte("{}\n"), 0o644) }, clock.standby, []string{"CREATE state.json"}},
		{"longer", func() error { return appendTo(path, "{}") }, clock.standby, []string{"CREATE state.json"}},
		{"removed", func() error { return os.Remove(path) }, clock.standby, []string{"CREATE state.json"}},
		{"replaced by a copy", func() error {
			content, err := os.ReadFile(path)
			return errors.Join(err, os.Remove(path), os.WriteFile(path, content, 0o600))
		}, clock.standby, []string{"CREATE state.json"}},
		{"the same again", func() error { return nil }, clock.standby, nil},
		{"a minute later", func() error { clock.Advance(rewriteInterval); return nil }, clock.standby, []string{"CREATE state.json"}},
		{"a second later", func() error { clock.Advance(time.Second); return nil }, clock.standby, nil},
		{"another leader", func() error { return nil }, func() leadership.Leadership { return leadershiptest.Standby("web-1") }, []string{"CREATE state.json"}},
	} {
		if err := c.before(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, watched(t, dir, func() { apply(t, f, c.l()) })); diff != "" {
			t.Errorf("%s: what a watch saw (-want +got):\n%s", c.name, diff)
		}
		wantSeen(t, dir, "no leader file", leadershiptest.Text(c.l()))
	}
	clock.Advance(time.Second)
	apply(t, f, clock.term("5", 10*time.Second))
	for range 2 {
		clock.Advance(time.Second)
		renewed := watched(t, dir, func() { apply(t, f, clock.term("5", 10*time.Second)) })
		if diff := cmp.Diff([]string{"CREATE state.json"}, renewed); diff != "" {
			t.Errorf("a leader's renewal: what a watch saw (-want +got):\n%s", diff)
		}
	}
}

func appendTo(path, more string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(more)
	return errors.Join(err, f.Close())
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
