//go:build linux

package harness

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// counting is a script that adds a byte to a file again and again, from a process below the one that is started.
const counting = `(while :; do printf . >>"$0"; sleep 0.01; done) & echo $! >"$0.pid"; wait`

// startIn runs a shell script in the group, with file as its $0.
func startIn(t *testing.T, g *Cgroup, script, file string) *Process {
	t.Helper()
	return Launch(t, "script", file+".log", g.Launcher("/bin/sh"), []string{"-c", script, file}, os.Environ())
}

func TestCgroupFreezesWhatIsBelow(t *testing.T) {
	g := NewCgroup(t)
	file := filepath.Join(t.TempDir(), "count")
	p := startIn(t, g, counting, file)
	size := func() int64 {
		info, err := os.Stat(file)
		if err != nil {
			return 0
		}
		return info.Size()
	}
	Eventually(t, cgroupBound, "the script counts", func() bool { return size() > 0 })
	if pids := g.PIDs(); !slices.Contains(pids, p.PID()) || len(pids) < 2 {
		t.Errorf("in the group: %v, want %d and what is below it", pids, p.PID())
	}
	g.Freeze()
	frozen := size()
	Throughout(t, 300*time.Millisecond, "nothing is counted in a frozen group", func() bool { return size() == frozen })
	g.Thaw()
	Eventually(t, cgroupBound, "the thawed script counts on", func() bool { return size() > frozen })

	g.Kill()
	<-p.Exited()
	dead := size()
	Throughout(t, 200*time.Millisecond, "nothing is counted in a killed group", func() bool { return size() == dead })
}

func TestCgroupTakesInWhoRuns(t *testing.T) {
	g := NewCgroup(t)
	p := Launch(t, "sleep", filepath.Join(t.TempDir(), "log"), "/bin/sleep", []string{"60"}, os.Environ())
	g.Add(p.PID())
	if pids := g.PIDs(); !slices.Equal(pids, []int{p.PID()}) {
		t.Errorf("in the group: %v, want %d alone", pids, p.PID())
	}
	g.Freeze() // the test's end thaws it, before it waits for the process
}

// TestCgroupStarves has a script take all of a core, and measures what it got by the kernel's own account.
func TestCgroupStarves(t *testing.T) {
	g := NewCgroup(t)
	g.CPU(0.05)
	p := startIn(t, g, `while :; do :; done`, filepath.Join(t.TempDir(), "busy"))
	used := func() time.Duration { return CPUTime(t, p.PID()) }
	Eventually(t, cgroupBound, "the script runs", func() bool { return used() > 0 })
	before, from := used(), time.Now()
	time.Sleep(time.Second)
	share := float64(used()-before) / float64(time.Since(from))
	if share > 0.15 {
		t.Errorf("it got %.0f %% of a core, want 5 %%", 100*share)
	}
}

func TestCgroupBoundsMemory(t *testing.T) {
	g := NewCgroup(t)
	g.Memory(8 << 20)
	p := startIn(t, g, `x=x; while :; do x=$x$x; done`, filepath.Join(t.TempDir(), "hungry"))
	select {
	case <-p.Exited():
	case <-time.After(cgroupBound):
		t.Fatal("a script that takes all memory lives on")
	}
	if code := p.ExitCode(); code != -1 {
		t.Errorf("exit status %d, want it killed\n%s", code, p.Log())
	}
}

func TestCgroupBoundsThreads(t *testing.T) {
	g := NewCgroup(t)
	g.Threads(3)
	p := startIn(t, g, `for i in 1 2 3 4 5; do sleep 60 & done; wait`, filepath.Join(t.TempDir(), "many"))
	Eventually(t, cgroupBound, "the script is refused a process", func() bool { return strings.Contains(p.Log(), "ork") })
	if n := len(g.PIDs()); n > 3 {
		t.Errorf("%d processes in the group, want 3 at most", n)
	}
	g.Kill()
}
