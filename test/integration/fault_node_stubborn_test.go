//go:build linux

package integration

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestStubbornApp is fault 15: the app ignores SIGTERM, in a handover on demand and at the sidecar's end. The Lease is
// released only once the app has been killed, which is before the Lease could have run out.
func TestStubbornApp(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		end  func(t *testing.T, p *pod)
	}{
		{name: "step-down", end: func(t *testing.T, p *pod) { checkDraining(t, p.Sidecar) }},
		{name: "SIGTERM", end: func(t *testing.T, p *pod) { strike(t, syscall.SIGTERM, p.PID()) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := harness.NewElection(t, harness.Shared(t), 5*time.Second)
			e.Ship(t)
			e.Flags = []string{"--stop-timeout", "3s"}
			to := newGuarded(t)
			pods := startPods(t, e, 2, to, stubborn)
			witness := harness.Watch(t, sidecarsOf(pods)...)
			leader, before := awaitPod(t, e.Duration+slack, to, pods...)
			heir, app := heirOf(pods, leader), leader.app(t)
			tc.end(t, leader)
			checkHeldWhile(t, e, leader.Sidecar, app)
			_, after := awaitPod(t, e.Duration+slack, to, heir)
			if !greater(after, before) {
				t.Errorf("token %s after token %s: want a greater one", after, before)
			}
			to.tell(witness)
			witness.Verdict(t)
		})
	}
}

// TestStubbornProcess is fault 15 where the app is not the sidecar's to kill: a process that is told by a signal to end,
// and does not. For as long as it is seen to live the Lease is kept, by renewals; its end releases it.
func TestStubbornProcess(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 5*time.Second)
	e.Ship(t)
	leader := e.Prepare(t, "web-0")
	app := startStubborn(t, leader)
	leader.Start(t, e)
	harness.AwaitLeader(t, e.Duration+slack, leader)
	heir := e.Start(t, "web-1")
	witness := harness.Watch(t, leader, heir)
	if status := leader.Post("/step-down"); status != http.StatusAccepted {
		t.Fatalf("POST /step-down: status %d, want %d", status, http.StatusAccepted)
	}
	harness.Throughout(t, 2*e.Duration, "the Lease is kept while the process lives", func() bool {
		told, _ := heir.Told()
		return !told && runs(app)
	})
	strike(t, syscall.SIGKILL, app)
	checkHeldWhile(t, e, leader, app)
	harness.AwaitLeader(t, slack, heir)
	witness.Verdict(t)
}

// startStubborn starts a process that catches SIGTERM and lives on, and has the replica tell it.
func startStubborn(t *testing.T, s *harness.Sidecar) int {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("sh", "-c", `trap : USR1 TERM; echo ready >"$0/ready"; while :; do sleep 0.05; done`, dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { // joined below
		defer close(ended)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	harness.Eventually(t, slack, "the process has set its traps", func() bool {
		_, err := os.Stat(filepath.Join(dir, "ready"))
		return err == nil
	})
	pidFile := filepath.Join(dir, "pid")
	if err := os.WriteFile(pidFile, fmt.Appendln(nil, cmd.Process.Pid), 0o644); err != nil {
		t.Fatal(err)
	}
	s.Args = append(s.Args, "--pid-file", pidFile, "--on-elected", "USR1", "--on-lost", "TERM")
	return cmd.Process.Pid
}

// TestUnseenApp is fault 15 where nobody can see the app: the Lease is not released before the validUntil that it was
// told last.
func TestUnseenApp(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 5*time.Second)
	e.Ship(t)
	e.Flags = []string{"--placement", "classic"}
	replicas := e.StartAll(t, 2)
	witness := harness.Watch(t, replicas...)
	leader := harness.AwaitLeader(t, e.Duration+slack, replicas...)
	heir := harness.Others(replicas, leader)[0]
	awaitRenewal(t, leader)
	told := leader.State()
	strike(t, syscall.SIGTERM, leader.PID())
	harness.AwaitLeader(t, 2*e.Duration+slack, heir)
	if took := sent(e, heir); took.Before(told.ValidUntil) {
		t.Errorf("the heir took the Lease %v before the app could no longer believe", told.ValidUntil.Sub(took))
	}
	leader.AwaitExit(t, slack, 0)
	if !strings.Contains(leader.Log(), "validUntil has passed") {
		t.Error("the log does not say why the app counts as stopped")
	}
	witness.Verdict(t)
}

// checkHeldWhile watches until the process has ended that the Lease is still the replica's.
func checkHeldWhile(t *testing.T, e *harness.Election, s *harness.Sidecar, app int) {
	t.Helper()
	identity := s.Pod + "_" + s.UID
	harness.Eventually(t, e.Duration+slack, "the app is killed", func() bool {
		holder := e.Holder(t)
		lives := runs(app) // looked at after the Lease: it lived then too
		if lives && holder != identity {
			t.Fatalf("the Lease is held by %q while the app of %s runs", holder, identity)
		}
		return !lives
	})
}
