package runlock

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/internal/sight/sighttest"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// media are the file systems that an emptyDir may be on.
func media(t *testing.T) map[string]string {
	t.Helper()
	memory, err := os.MkdirTemp("/dev/shm", "runlock")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(memory) })
	disk := t.TempDir()
	for _, dir := range []string{memory, disk, filepath.Dir(disk)} {
		if err := os.Chmod(dir, 0o755); err != nil { // other users pass through
			t.Fatal(err)
		}
	}
	return map[string]string{"tmpfs": memory, "disk": disk}
}

// asNobody runs a process as another UID, inNamespaces in some of its own.
func asNobody(c *exec.Cmd) { c.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534} }

func inNamespaces(flags uintptr) func(*exec.Cmd) {
	return func(c *exec.Cmd) { c.SysProcAttr.Cloneflags = flags }
}

// TestLifeOfAHolder has a workload hold the lock, in every kind and place, be seen to run, and be seen to stop once it is
// killed.
func TestLifeOfAHolder(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("this test starts a process as another user: run it as root")
	}
	places := map[string]struct {
		how    string
		change func(*exec.Cmd)
	}{
		"beside":              {"", func(*exec.Cmd) {}},
		"other pid namespace": {"", inNamespaces(syscall.CLONE_NEWPID)},
		"read-only mount":     {"ro-", inNamespaces(syscall.CLONE_NEWNS)},
		"other UID":           {"", asNobody},
	}
	for medium, root := range media(t) {
		for place, p := range places {
			for _, how := range []string{"shared", "exclusive", "posix", "ofd"} {
				t.Run(medium+"/"+place+"/"+how, func(t *testing.T) {
					dir, err := os.MkdirTemp(root, "")
					if err != nil {
						t.Fatal(err)
					}
					if err := os.Chmod(dir, 0o755); err != nil {
						t.Fatal(err)
					}
					s := see(t, dir)
					if got := s.State(true); got != sight.Unknown {
						t.Fatalf("never taken: got %s", got)
					}
					s.Observe(leadership.Leadership{})
					s.Observe(sighttest.Leads())
					h := holds(t, p.how+how, dir, p.change)
					s.wants(sight.Running, false)
					began := time.Now()
					h.kill()
					s.wants(sight.Stopped, false)
					t.Logf("seen %s after the kill", time.Since(began))
					s.WantsCrash(t)
				})
			}
		}
	}
}

// TestEndIsSeenAtOnce measures the time from a SIGKILL to the state.
func TestEndIsSeenAtOnce(t *testing.T) {
	var took []time.Duration
	s := see(t, t.TempDir())
	for range 20 {
		h := holds(t, "shared", s.cfg.Dir)
		s.wants(sight.Running, true)
		began := time.Now()
		if err := h.command.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		s.wants(sight.Stopped, true)
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	t.Logf("from SIGKILL to stopped, of %d: p50 %s, max %s", len(took), took[len(took)/2], took[len(took)-1])
	if median := took[len(took)/2]; median > 500*time.Millisecond {
		t.Errorf("the median is %s", median)
	}
}

// TestAHolderThatLetsGo does not end, and takes the lock again by the descriptor that it has: no opening shows that.
func TestAHolderThatLetsGo(t *testing.T) {
	for _, how := range []string{"shared", "posix"} {
		s := see(t, t.TempDir())
		h := holds(t, how, s.cfg.Dir)
		s.wants(sight.Running, true)
		for range 3 {
			h.obeys("drop")
			s.wants(sight.Stopped, true)
			h.obeys("take")
			if got := s.State(true); got != sight.Running {
				t.Fatalf("%s: taken again: got %s", how, got)
			}
		}
		s.WantsNoCrash(t)
	}
}

// TestSeveralHolders run until the last of them has gone, whatever kind of lock each has.
func TestSeveralHolders(t *testing.T) {
	for _, kinds := range [][]string{{"shared", "shared"}, {"shared", "posix"}, {"posix", "shared"}, {"posix", "posix"}} {
		s := see(t, t.TempDir())
		first, second := holds(t, kinds[0], s.cfg.Dir), holds(t, kinds[1], s.cfg.Dir)
		s.wants(sight.Running, true)
		first.kill()
		// Nothing may be reported: wait for an event that must not come, and for what a look says.
		select {
		case <-s.Changes:
			if got := s.Presence.State(true); got != sight.Running {
				t.Errorf("%v: one of two has gone: got %s", kinds, got)
			}
		case <-time.After(200 * time.Millisecond):
		}
		if got := s.State(true); got != sight.Running {
			t.Errorf("%v: one of two has gone: got %s", kinds, got)
		}
		second.kill()
		s.wants(sight.Stopped, true)
	}
}

// TestALockForLife was taken while this replica stood by. Who holds it may work, also in a handover with the pod living on: a
// program that takes long to stop looks no different from one that lives on as a standby. Its end while leading is a crash.
func TestALockForLife(t *testing.T) {
	s := see(t, t.TempDir())
	s.Observe(leadership.Leadership{})
	h := holds(t, "shared", s.cfg.Dir)
	s.wants(sight.Running, true)
	s.Observe(sighttest.Leads())
	for _, ending := range []bool{false, true} {
		if got := s.State(ending); got != sight.Running {
			t.Errorf("a handover, ending %v: got %s", ending, got)
		}
	}
	h.kill()
	s.wants(sight.Stopped, false)
	s.WantsCrash(t)
}

// TestTheFileIsReplaced by somebody else: who held the old one is seen no more, and the log says so.
func TestTheFileIsReplaced(t *testing.T) {
	for name, replace := range map[string]func(path string) error{
		"removed":        func(string) error { return nil },
		"by a file":      func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"by a link":      func(path string) error { return os.Symlink("/etc/passwd", path) },
		"by a directory": func(path string) error { return os.Mkdir(path, 0o755) },
		"by a pipe":      func(path string) error { return syscall.Mkfifo(path, 0o644) },
	} {
		t.Run(name, func(t *testing.T) {
			s := see(t, t.TempDir())
			path := filepath.Join(s.cfg.Dir, fileName)
			h := holds(t, "shared", s.cfg.Dir)
			s.wants(sight.Running, true)
			if err := errors.Join(os.Remove(path), replace(path)); err != nil {
				t.Fatal(err)
			}
			if got := s.State(true); got != sight.Running {
				t.Errorf("the holder of the old file lives: got %s", got)
			}
			h.kill()
			s.wants(sight.Stopped, true)
			if got := s.State(true); got != sight.Unknown {
				t.Errorf("nobody has taken the new file: got %s", got)
			}
			if !strings.Contains(s.text(), "replaced or removed") {
				t.Errorf("the log does not say so:\n%s", s.text())
			}
			if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() || info.Mode().Perm() != fileMode {
				t.Errorf("the new file is %v, %v", info, err)
			}
			h = holds(t, "shared", s.cfg.Dir)
			s.wants(sight.Running, true)
			h.kill()
			s.wants(sight.Stopped, true)
		})
	}
}

// TestAttemptsDoNotFail has a workload take the lock without waiting, over and over, each time right after it has let go,
// while it is looked at a thousand times a second. In a sidecar there are some looks after an opening, none while
// somebody holds the lock, and one wait.
//
// A look holds the lock for a microsecond or two, between its two system calls: so long an attempt fails. On a busy machine the
// kernel may take the CPU away right then, once in thousands of looks, and then every attempt of some milliseconds fails. So the
// test counts the attempts in batches, and judges the median batch: it has some three looks, and every microsecond of a look
// makes about one attempt in a thousand fail.
func TestAttemptsDoNotFail(t *testing.T) {
	for _, how := range []string{"shared", "posix"} {
		s := see(t, t.TempDir())
		h := holds(t, how, s.cfg.Dir)
		s.wants(sight.Running, true)
		h.obeys("drop")
		done := make(chan struct{})
		var looks int
		var looking sync.WaitGroup
		looking.Go(func() {
			for tick := time.NewTicker(time.Millisecond); ; looks++ {
				select {
				case <-tick.C:
					s.State(true)
				case <-done:
					tick.Stop()
					return
				}
			}
		})
		const attempts, batches = 2_000, 101
		var failed []int
		all := 0
		for range batches {
			fmt.Fprintln(h.orders, "attempts", attempts)
			n, err := strconv.Atoi(h.wants("failed"))
			if err != nil {
				t.Fatal(err)
			}
			failed = append(failed, n)
			all += n
		}
		close(done)
		looking.Wait()
		slices.Sort(failed)
		t.Logf("%s: of %d attempts not to wait, under %d looks, %d failed; by batch of %d: median %d, max %d",
			how, attempts*batches, looks, all, attempts, failed[batches/2], failed[batches-1])
		if median := failed[batches/2]; median > attempts/100 {
			t.Errorf("%s: in the median batch %d of %d attempts failed", how, median, attempts)
		}
	}
}
