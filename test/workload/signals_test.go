//go:build linux

package workload

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// startParked starts a program that process signals park while its replica stands by, then its sidecar, and returns once the program
// is parked.
func (s *stage) startParked(name, leaseDuration string) *pod {
	s.t.Helper()
	p := s.prepare(name, setup{
		program: []string{"-child", "-pid-file", pidFile},
		flags: []string{
			"--lease-duration", leaseDuration, "--pid-file", harness.Here + pidFile, "--on-elected", "CONT", "--on-lost", "STOP",
		},
	})
	p.startApp()
	p.works()
	p.Start()
	p.awaitParked(true)
	return p
}

// parked reports whether the program is stopped by a signal.
func (p *pod) parked() bool { return harness.State(p.app.PID()) == 'T' }

func (p *pod) awaitParked(want bool) {
	p.stage.t.Helper()
	harness.Eventually(p.stage.t, patience, fmt.Sprintf("%s is parked: %v", p.Name, want), func() bool { return p.parked() == want })
}

// The guard acts for a killed sidecar: its workload is stopped at once.
func TestKilledSidecar(t *testing.T) {
	t.Parallel()
	a := newStage(t).startParked("a", "15s")
	a.awaitParked(false)
	harness.Eventually(t, patience, "its document says so, too", func() bool { return a.Leadership().IsLeader })
	until := a.Leadership().ValidUntil
	a.Stop(0)
	a.awaitParked(true)
	if !now().Before(until) {
		t.Error("the workload of a killed sidecar is stopped after its term")
	}
}

// A frozen sidecar's workload is stopped by the guard before another replica leads.
func TestFrozenSidecar(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	a := s.startParked("a", "3s")
	a.awaitParked(false)
	b := s.startParked("b", "3s")
	a.Freeze(t)
	b.awaitParked(false)
	if !a.parked() {
		t.Error("the next leader works while the frozen sidecar's workload does")
	}
	a.Wake(t)
	harness.Throughout(t, 500*time.Millisecond, "the sidecar that woke does not let its workload go on", func() bool { return a.parked() && !b.parked() })
}

// blockStore has every read of the store wait until the returned function is called.
func (s *stage) blockStore() (release func()) {
	s.t.Helper()
	locks, err := filepath.Glob(filepath.Join(s.root, "store", ".*.lock"))
	if err != nil || len(locks) == 0 {
		s.t.Fatalf("no lock in the store: %v", err)
	}
	f, err := os.Open(locks[0])
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = f.Close() })
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		s.t.Fatal(err)
	}
	return func() { _ = f.Close() }
}

// A sidecar that was killed is asked to hand over while it resumes: it never publishes that it leads. Its process lives on, notified
// of its loss, so nobody has seen the work stop: the Lease is kept until validUntil.
func TestStepDownWhileResuming(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	a := s.start("a", setup{
		program: []string{"-pid-file", pidFile},
		flags:   []string{"--lease-duration", "3s", "--pid-file", harness.Here + pidFile, "--on-lost", "USR2"},
	})
	a.Stop(0) // with a pod's UID it finds its own term again
	a.Env = []string{"POD_UID=0b1f0000-0000-4000-8000-000000000001"}
	a.Start()
	a.AwaitLog("msg=leading ")
	release := s.blockStore()
	a.Stop(0)
	a.LogPath = filepath.Join(a.Dir, "log-resuming")
	a.Start()
	// Until it listens, and has found the term to resume, it takes no order.
	harness.Eventually(t, patience, "a takes the order", func() bool { status, _ := a.Ask("POST", "/step-down"); return status == 202 })
	release()
	a.AwaitLog("the workload counts as stopped")
	if text := a.Log(); !strings.Contains(text, "it is resumed for that alone") || strings.Contains(text, "leading=true") || !strings.Contains(text, "leading=false") {
		t.Errorf("no handover of a term that is resumed for it alone:\n%s", text)
	}
	if a.LogLine(`detail="validUntil has passed"`) == "" || !a.app.Alive() {
		t.Errorf("released before validUntil, with the process alive: %v:\n%s", a.app.Alive(), a.Log())
	}
}
