//go:build linux

package lab

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

// TestKilledRunLeavesNothing starts a run within this one, kills its first process when nodes are up, and looks for what is left. The
// next run removes it.
func TestKilledRunLeavesNothing(t *testing.T) {
	runs := func() []string {
		t.Helper()
		top, err := home()
		if err != nil {
			t.Fatal(err)
		}
		found, err := filepath.Glob(filepath.Join(top, "run-*"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	// A run of its own: it does not know that it is inside another one. The variable has TestRun start the nodes.
	command := func(pattern string) *exec.Cmd {
		cmd := exec.Command("/proc/self/exe", "-test.v", "-test.run="+pattern)
		cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "LEASE_SIDECAR_E2E") }), innerVariable+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		return cmd
	}
	before := runs()
	inner := command("^TestRun$")
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	inner.Stdout, inner.Stderr = log, log
	if err := inner.Start(); err != nil {
		t.Fatal(err)
	}
	dir := ""
	up := harness.Within(readyBound, 100*time.Millisecond, func() bool {
		for _, run := range runs() {
			if _, err := os.Stat(filepath.Join(run, "up")); err == nil && !slices.Contains(before, run) {
				dir = run
			}
		}
		return dir != ""
	})
	_ = inner.Process.Kill()
	_ = inner.Wait()
	if !up {
		text, _ := os.ReadFile(log.Name())
		t.Fatalf("the run did not start\n%s", text)
	}
	processes := func() (found []string) {
		all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, path := range all {
			if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), dir) {
				found = append(found, strings.ReplaceAll(string(text), "\x00", " "))
			}
		}
		return found
	}
	harness.Eventually(t, removeBound, "no process of the killed run is left", func() bool { return len(processes()) == 0 })
	if mounts, err := os.ReadFile("/proc/self/mounts"); err != nil || strings.Contains(string(mounts), dir) {
		t.Errorf("mounts of the killed run are left (%v)", err)
	}
	if out, err := command("^$").CombinedOutput(); err != nil || !strings.Contains(string(out), dir) {
		t.Errorf("the next run: %v, and does not say that it removes %s\n%s", err, dir, out)
	}
	groups, err := filepath.Glob(cgroupMount + "/*" + (&run{dir: dir}).cgroup())
	if err != nil || len(groups) > 0 || slices.Contains(runs(), dir) {
		t.Errorf("the next run has left control groups %q or the folder (%v)", groups, err)
	}
}

// innerVariable is set for the run that is killed.
const innerVariable = "LAB_INNER_RUN"

// TestRun starts the nodes and a pod's worth of nothing. Within the run that is killed, it waits for that.
func TestRun(t *testing.T) {
	if os.Getenv(innerVariable) == "" {
		return // this is for the run that is killed
	}
	l := Shared(t)
	if err := os.WriteFile(filepath.Join(l.dir, "up"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	<-t.Context().Done()
}
