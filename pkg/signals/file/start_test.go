//go:build linux

package file

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock/clocktest"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership/leadershiptest"
)

// running is the leadership of a term of this boot, on the machine's clock, that ends d from now.
func running(t *testing.T, d time.Duration) leadership.Leadership {
	t.Helper()
	bootID, err := bootclock.ID()
	if err != nil {
		t.Fatal(err)
	}
	l := term(bootclock.System{}, "5", d)
	l.BootID = bootID
	return l
}

func TestAdopt(t *testing.T) {
	self := leadershiptest.Standby("")
	self.Token = "5"
	for _, c := range []struct {
		name   string
		change func(l *leadership.Leadership)
		after  func(t *testing.T, dir string)
		keeps  bool
		state  string // what the document says afterwards; "leader 5" when empty
	}{
		{name: "its own, valid", keeps: true},
		{name: "another identity", change: func(l *leadership.Leadership) { l.Identity = "web-5d9_other" }, state: "no document"},
		{name: "another Lease", change: func(l *leadership.Leadership) { l.Lease = "acme-2" }, state: "no document"},
		{name: "another namespace", change: func(l *leadership.Leadership) { l.Namespace = "prod" }, state: "no document"},
		{name: "another boot", change: func(l *leadership.Leadership) { l.BootID = "elsewhere" }},
		{name: "a term that no hold knows", change: func(l *leadership.Leadership) { l.Token = "4" }, state: "no document"},
		{name: "token not the document's", state: "no document", after: func(t *testing.T, dir string) {
			write(t, dir, leadership.LeaderFile, "4\n")
		}},
		{name: "endless leader file", state: "no document", after: func(t *testing.T, dir string) {
			write(t, dir, leadership.LeaderFile, "5\n"+strings.Repeat("0", maxRead))
		}},
		{name: "no document", state: "no document", after: func(t *testing.T, dir string) {
			remove(t, dir, leadership.StateFile)
		}},
		{name: "no leader file", state: "no document", after: func(t *testing.T, dir string) { remove(t, dir, leadership.LeaderFile) }},
		{name: "a link", state: "no document", after: func(t *testing.T, dir string) {
			remove(t, dir, leadership.LeaderFile)
			write(t, dir, "other", "5\n")
			if err := os.Symlink("other", filepath.Join(dir, leadership.LeaderFile)); err != nil {
				t.Fatal(err)
			}
		}},
		{name: "a pipe", state: "no document", after: func(t *testing.T, dir string) {
			remove(t, dir, leadership.LeaderFile)
			if err := syscall.Mkfifo(filepath.Join(dir, leadership.LeaderFile), 0o644); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			l := running(t, time.Minute)
			if c.change != nil {
				c.change(&l)
			}
			apply(t, openFile(t, dir, bootclock.System{}), l)
			if c.after != nil {
				c.after(t, dir)
			}
			adopted, err := openFile(t, dir, bootclock.System{}).Adopt(self)
			if err != nil {
				t.Fatalf("Adopt: %v", err)
			}
			if adopted.IsLeader != c.keeps {
				t.Errorf("Adopt says %q, want a leader: %v", leadershiptest.Text(adopted), c.keeps)
			}
			if got := seenLeader(t, dir) != "no leader file"; got != c.keeps {
				t.Errorf("%s afterwards, want it kept: %v", seenLeader(t, dir), c.keeps)
			}
			want := c.state
			if want == "" {
				want = "leader 5"
			}
			if got := seenState(t, dir); got != want {
				t.Errorf("the document says %q, want %q", got, want)
			}
		})
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// TestAdoptRemovesAStaleLeader: the modification time lies in the future, as after a step of the wall clock; the
// document's deadline on the boot clock decides.
func TestAdoptRemovesAStaleLeader(t *testing.T) {
	dir := t.TempDir()
	l := running(t, -time.Second)
	early := clocktest.NewHand()
	early.Set(l.ValidUntil.Add(-10 * time.Second))
	l.ValidUntilWall = time.Now().Add(time.Hour)
	apply(t, openFile(t, dir, early), l)
	if got := seenLeader(t, dir); got == "no leader file" {
		t.Fatal("nothing to adopt")
	}
	if _, err := openFile(t, dir, bootclock.System{}).Adopt(l); err != nil {
		t.Fatal(err)
	}
	if got := seenLeader(t, dir); got != "no leader file" {
		t.Errorf("%s after its term, want none", got)
	}
}

func TestAdoptSweepsWhatADeadSidecarLeftHalfDone(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, tempPrefix+"leader-ABC", "5")
	write(t, dir, tempPrefix+"state.json-DEF", "{")
	write(t, dir, "of-the-app", "")
	write(t, dir, ".lease-sidecar-hold", "")
	if _, err := openFile(t, dir, bootclock.System{}).Adopt(leadership.Leadership{}); err != nil {
		t.Fatal(err)
	}
	want := []string{".lease-sidecar-hold", "of-the-app"}
	if got := names(t, dir); len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("left: %v, want %v", got, want)
	}
}

// TestFirstLeadershipAfterAdoption: the adopted file is not of this process's making, so that a term led on gets a new one.
func TestFirstLeadershipAfterAdoption(t *testing.T) {
	dir := t.TempDir()
	l := running(t, time.Minute)
	apply(t, openFile(t, dir, bootclock.System{}), l)
	f := openFile(t, dir, bootclock.System{})
	if adopted, err := f.Adopt(l); err != nil || !adopted.IsLeader {
		t.Fatalf("Adopt: %v, %v", adopted, err)
	}
	next := running(t, time.Minute)
	next.Token = "6"
	steps := watched(t, dir, func() { apply(t, f, next) })
	if len(steps) != 2 || steps[0] != "CREATE state.json" || steps[1] != "CREATE leader" {
		t.Errorf("leading on: %v, want the document, then the file, with no removal", steps)
	}
	if read, err := leadership.Read(dir); err != nil || read.Token != "6" {
		t.Errorf("Read: %v, %v, want token 6", read, err)
	}
}

func TestCheckDir(t *testing.T) {
	parent := t.TempDir()
	write(t, parent, "file", "")
	for _, name := range []string{"good", "read-only"} {
		if err := os.Mkdir(filepath.Join(parent, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	unprivileged(t)
	readOnly(t, filepath.Join(parent, "read-only"))
	for _, c := range []struct{ name, want string }{
		{"good", ""},
		{"read-only", "fsGroup"},
		{"file", "not a directory"},
		{"file/below", "not a directory"},
		{"missing", "no such file"},
	} {
		err := CheckDir(filepath.Join(parent, c.name))
		switch {
		case c.want == "" && err != nil:
			t.Errorf("CheckDir(%s): %v, want nil", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.name)):
			t.Errorf("CheckDir(%s): %v, want an error with %q and the directory", c.name, err, c.want)
		}
	}
	if got := names(t, filepath.Join(parent, "good")); got != nil {
		t.Errorf("CheckDir left %v behind", got)
	}
	if _, err := os.Stat(filepath.Join(parent, "good", leadership.StateFile)); err == nil {
		t.Error("CheckDir wrote the document")
	}
}
