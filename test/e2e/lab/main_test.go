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

// TestEndedRunLeavesNothing starts runs within this one, ends them when nodes are up, and looks for what is left. A run that is killed
// leaves its folder and empty control groups, which the next run removes; one that can do something about its end leaves nothing.
func TestEndedRunLeavesNothing(t *testing.T) {
	for name, end := range map[string]struct {
		signal syscall.Signal
		leaves bool
	}{
		"killed":     {syscall.SIGKILL, true},
		"terminated": {syscall.SIGTERM, false}, // as by "timeout", which ends the reader of the output as well
	} {
		t.Run(name, func(t *testing.T) {
			inner := startInner(t)
			inner.hangUp(t)
			if err := inner.Process.Signal(end.signal); err != nil {
				t.Fatal(err)
			}
			_ = inner.Wait()
			inner.lookAround(t)
			if _, err := os.Stat(inner.dir); (err == nil) != end.leaves {
				t.Errorf("the folder of the run: %v", err)
			}
			if end.leaves {
				if out, err := innerCommand("^$").CombinedOutput(); err != nil || !strings.Contains(string(out), inner.dir) {
					t.Errorf("the next run: %v, and does not say that it removes %s\n%s", err, inner.dir, out)
				}
			}
			groups, err := filepath.Glob(cgroupMount + "/*" + (&run{dir: inner.dir}).cgroup())
			if err != nil || len(groups) > 0 || slices.Contains(runs(t), inner.dir) {
				t.Errorf("control groups %q are left, or the folder (%v)", groups, err)
			}
		})
	}
}

// innerRun is a run within this one, whose nodes are up.
type innerRun struct {
	*exec.Cmd
	dir    string
	output *os.File // what reads the run's output
}

// innerCommand is a run of its own: it does not know that it is inside another one. The variable has TestRun start the nodes.
func innerCommand(pattern string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", "-test.v", "-test.run="+pattern)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "LEASE_SIDECAR_E2E") }), innerVariable+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// startInner starts a run and waits until its nodes are up.
func startInner(t *testing.T) *innerRun {
	t.Helper()
	before := runs(t)
	output, input, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	inner := &innerRun{Cmd: innerCommand("^TestRun$"), output: output}
	inner.Stdout, inner.Stderr = input, input
	if err := inner.Start(); err != nil {
		t.Fatal(err)
	}
	_ = input.Close()
	up := harness.Within(readyBound, 100*time.Millisecond, func() bool {
		for _, run := range runs(t) {
			if _, err := os.Stat(filepath.Join(run, "up")); err == nil && !slices.Contains(before, run) {
				inner.dir = run
			}
		}
		return inner.dir != ""
	})
	if !up {
		_ = inner.Process.Kill()
		_ = inner.Wait()
		text := make([]byte, 1<<16)
		n, _ := output.Read(text)
		t.Fatalf("the run did not start\n%s", text[:n])
	}
	return inner
}

// hangUp ends the reader of the run's output, so that what it writes from now on is refused with a signal.
func (r *innerRun) hangUp(t *testing.T) {
	t.Helper()
	if err := r.output.Close(); err != nil {
		t.Fatal(err)
	}
}

// lookAround looks for processes and mounts of the run.
func (r *innerRun) lookAround(t *testing.T) {
	t.Helper()
	processes := func() (found []string) {
		all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, path := range all {
			if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), r.dir) {
				found = append(found, strings.ReplaceAll(string(text), "\x00", " "))
			}
		}
		return found
	}
	harness.Eventually(t, removeBound, "no process of the run is left", func() bool { return len(processes()) == 0 })
	if mounts, err := os.ReadFile("/proc/self/mounts"); err != nil || strings.Contains(string(mounts), r.dir) {
		t.Errorf("mounts of the run are left (%v)", err)
	}
}

// runs are the folders of runs that live, or that were killed.
func runs(t *testing.T) []string {
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

// innerVariable is set for the run that is ended.
const innerVariable = "LAB_INNER_RUN"

// TestRun starts the nodes and a pod's worth of nothing. Within the run that is ended, it waits for that.
func TestRun(t *testing.T) {
	if os.Getenv(innerVariable) == "" {
		return // this is for the run that is ended
	}
	l := Shared(t)
	if err := os.WriteFile(filepath.Join(l.dir, "up"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	<-t.Context().Done()
}
