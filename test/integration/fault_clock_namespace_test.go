//go:build linux

package integration

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestReaderInAnotherTimeNamespace has a dead leader's document read where the boot clock is minutes behind: its
// deadline means nothing there, and nobody believes it.
func TestReaderInAnotherTimeNamespace(t *testing.T) {
	t.Parallel()
	behind := min(600*time.Second, time.Duration(now())/2).Truncate(time.Second) // the clock must not be negative
	e := harness.NewElection(t, harness.Shared(t), 3*time.Second)
	e.ShipFree(t)
	s := e.Start(t, "web-0")
	harness.AwaitLeader(t, e.Duration+slack, s)
	if out, code := s.Ask(t, "is-leader", "--signal-dir", s.Dir); code != 0 {
		t.Fatalf("is-leader beside the leader: status %d, want 0\n%s", code, out)
	}
	if out, code := isLeaderBehind(t, s, behind); code == 0 {
		t.Errorf("is-leader, its clock %v behind a live leader's: it says yes, which it cannot know\n%s", behind, out)
	}
	deadline := s.State().ValidUntil
	s.Stop(0)
	deadline = max(deadline, s.State().ValidUntil)
	time.Sleep(deadline.Add(100 * time.Millisecond).Sub(now()))
	if out, code := s.Ask(t, "is-leader", "--signal-dir", s.Dir); code == 0 {
		t.Errorf("is-leader after the end of the term: it says yes\n%s", out)
	}
	believed := time.Duration(0)
	if out, code := isLeaderBehind(t, s, behind); code == 0 {
		believed = behind - now().Sub(deadline)
		t.Errorf("is-leader, its clock %v behind, after the end of the term: it says yes, and will for %v more\n%s", behind, believed, out)
	}
	t.Logf("figure: a dead leader is believed for %.0f s", believed.Seconds())
}

// isLeaderBehind runs is-leader in a time namespace whose boot clock is that far behind. It needs root.
func isLeaderBehind(t *testing.T, s *harness.Sidecar, behind time.Duration) (string, int) {
	t.Helper()
	namespaced := []string{"--time", "--boottime", fmt.Sprintf("-%d", int(behind.Seconds())), "--fork"}
	up := exec.Command("unshare", append(namespaced, "cat", "/proc/uptime")...)
	out, err := up.Output()
	if err != nil {
		t.Fatalf("read the boot clock in a time namespace: %v (it takes root)", err)
	}
	var seconds float64
	if _, err := fmt.Fscan(strings.NewReader(string(out)), &seconds); err != nil {
		t.Fatalf("read the boot clock in a time namespace: %v", err)
	}
	if off := time.Duration(now()) - time.Duration(seconds*float64(time.Second)); off < behind-5*time.Second {
		t.Fatalf("the boot clock in the time namespace is %v behind, want %v: nothing is tested", off, behind)
	}
	return harness.RunCommand(t, "unshare", append(namespaced, s.Binary, "is-leader", "--signal-dir", s.Dir)...)
}
