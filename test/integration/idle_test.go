//go:build linux

package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// The most that processes may go to sleep in ten seconds. A leader with its guard was seen to do so 90 to 230 times, a
// standby with its guard 20 to 60 times.
const (
	leaderSleeps  = 400
	standbySleeps = 120
)

// TestNothingTicks: an idle replica that runs a command sleeps until something happens, and so does its guard.
func TestNothingTicks(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 15*time.Second)
	e.Ship(t)
	start := func(pod string) *harness.Sidecar {
		s := e.Prepare(t, pod)
		s.Binary = harness.ShippedBinary(t)
		s.Args = append(s.Args, "--log-level", "info", "--", "sleep", "1000000")
		s.Start(t, e)
		return s
	}
	leader := start("web-0")
	harness.AwaitLeader(t, e.Duration+slack, leader)
	standby := start("web-1")
	harness.Eventually(t, slack, "the other one knows the leader", func() bool { return standby.State().Leader == leader.Pod })
	time.Sleep(15 * time.Second) // what the start needed is over, and the giving back of memory ten seconds after it
	for _, c := range []struct {
		role string
		pids []int
		most int
	}{
		{"leader", withGuard(t, leader.PID()), leaderSleeps},
		{"standby", withGuard(t, standby.PID()), standbySleeps},
	} {
		from := sleeps(t, c.pids)
		time.Sleep(10 * time.Second)
		got := sleeps(t, c.pids) - from
		t.Logf("the %s and its guard went to sleep %d times in 10 s", c.role, got)
		if got > c.most || got == 0 {
			t.Errorf("the %s and its guard went to sleep %d times in 10 s; want some, and at most %d", c.role, got, c.most)
		}
	}
	if leaderNow, _ := leader.Told(); !leaderNow {
		t.Error("the leader did not stay one")
	}
}

// withGuard returns a sidecar's process and its guard, the only child that it has.
func withGuard(t *testing.T, pid int) []int {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	pids := []int{pid}
	for _, task := range tasks {
		text, _ := os.ReadFile(task) // a thread that has ended has none
		for word := range strings.FieldsSeq(string(text)) {
			var child int
			if _, err := fmt.Sscan(word, &child); err != nil {
				t.Fatal(err)
			}
			pids = append(pids, child)
		}
	}
	if len(pids) != 2 {
		t.Fatalf("process %d has the children %v; want the guard alone", pid, pids[1:])
	}
	return pids
}

// sleeps returns how often the threads of processes have gone to sleep so far: their voluntary context switches.
func sleeps(t *testing.T, pids []int) (n int) {
	t.Helper()
	for _, pid := range pids {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
		if err != nil || len(tasks) == 0 {
			t.Fatalf("process %d has no threads: it has ended: %v", pid, err)
		}
		for _, task := range tasks {
			status, _ := os.ReadFile(task) // Go's threads do not end
			_, rest, _ := strings.Cut(string(status), "\nvoluntary_ctxt_switches:")
			var count int
			if _, err := fmt.Sscan(rest, &count); err != nil {
				t.Fatalf("read %s: %v", task, err)
			}
			n += count
		}
	}
	return n
}
