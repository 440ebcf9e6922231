//go:build linux

package integration

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// The tests of this file and of fault_native_test.go judge by what two workloads wrote down themselves, on the boot clock:
// that of web-0, whose sidecar gives up leadership while it works on, and that of web-1, which works while it leads.

// TestCreditComesLate lets a leader's renewals be applied without their replies coming back, has it hand over meanwhile, and
// lets the replies through just after the term has run out. The term that is proven too late is drained like any other: its
// workload, which ignores SIGTERM, lives until it is killed, and nobody else works before.
func TestCreditComesLate(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		ends func(t *testing.T, s *harness.Sidecar, healthy string)
	}{
		{"unhealthy", func(t *testing.T, _ *harness.Sidecar, healthy string) {
			if err := os.Remove(healthy); err != nil {
				t.Fatal(err)
			}
		}},
		{"terminating", func(t *testing.T, s *harness.Sidecar, _ string) { strike(t, syscall.SIGTERM, s.PID()) }},
		{"stepping down", func(t *testing.T, s *harness.Sidecar, _ string) {
			if status := s.Post("/step-down"); status != http.StatusAccepted {
				t.Fatalf("POST /step-down: status %d, want %d", status, http.StatusAccepted)
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := harness.NewElection(t, harness.Shared(t), 12*time.Second)
			e.ShipFree(t)
			work, healthy := harness.NewWork(t), filepath.Join(t.TempDir(), "healthy")
			if err := os.WriteFile(healthy, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			line := e.Cluster.Proxy(t)
			s := e.Prepare(t, "web-0")
			s.Kubeconfig = e.Access.Kubeconfig(t, line.Host())
			s.Args = append(s.Args, "--health-file", healthy, "--health-interval", "100ms", "--health-threshold", "1", "--")
			s.Args = append(s.Args, work.Command(s.Pod, "linger=60")...)
			s.Start(t, e)
			harness.AwaitLeader(t, e.Duration+slack, s)
			work.Await(t, slack, s.Pod)
			startHeir(t, e, work)

			awaitRenewal(t, s)
			line.CutWays(harness.Replies)
			deadline, known := s.State().ValidUntil, version(t, e)
			tc.ends(t, s, healthy)
			harness.Eventually(t, deadline.Sub(now()), "a renewal is applied whose reply does not come", func() bool { return version(t, e) != known })
			time.Sleep(deadline.Add(20 * time.Millisecond).Sub(now()))
			line.Heal()
			work.Await(t, 2*e.Duration+slack, "web-1")
			work.Verdict(t)
		})
	}
}

// TestWorkersAreLeft lets a workload end at SIGTERM whose workers go on without it. They are the workload's, too: with a
// fence they are killed before anybody else works; without one the Lease is not released while they live.
func TestWorkersAreLeft(t *testing.T) {
	t.Parallel()
	for _, fence := range []string{"kill", "none"} {
		t.Run("fence "+fence, func(t *testing.T) {
			t.Parallel()
			e := harness.NewElection(t, harness.Shared(t), 9*time.Second)
			e.ShipFree(t)
			work := harness.NewWork(t)
			flags := []string{"--fence", fence}
			if fence == "kill" && knows(t, "--stop-timeout") {
				flags = append(flags, "--stop-timeout", "8s")
			}
			s := startWithProcess(t, e, work, []string{"leave"}, flags...)
			startHeir(t, e, work)
			awaitRenewal(t, s)
			checkDraining(t, s)
			if fence == "kill" {
				work.Await(t, 4*e.Duration+slack, "web-1")
			} else {
				harness.Throughout(t, e.RenewDeadline()+e.Duration/3, "the workers live", func() bool { return work.Works(t, "web-0") })
			}
			work.Verdict(t)
		})
	}
}

// TestEndpointEndsFirst lets a workload close its health endpoint at SIGTERM and work on for four seconds. Its process is
// seen to live: that beats the endpoint's end.
func TestEndpointEndsFirst(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 9*time.Second)
	e.ShipFree(t)
	work, port := harness.NewWork(t), harness.FreePort(t)
	s := startWithProcess(t, e, work, []string{"listen=" + port, "linger=4"}, "--health-tcp", "127.0.0.1:"+port, "--health-while", "leading")
	startHeir(t, e, work)
	awaitRenewal(t, s)
	if status := s.Post("/step-down"); status != http.StatusAccepted {
		t.Fatalf("POST /step-down: status %d, want %d", status, http.StatusAccepted)
	}
	work.Await(t, e.Duration+slack, "web-1")
	work.Verdict(t)
}

// knows reports whether the sidecar under test has a flag: one that was built before may not.
func knows(t *testing.T, flag string) bool {
	t.Helper()
	help, _ := harness.RunCommand(t, harness.Binary(t), "run", "--help")
	return strings.Contains(help, flag)
}

// startWithProcess starts replica web-0, which tells its workload by process signals, waits until it leads, and starts the
// workload, which SIGTERM ends.
func startWithProcess(t *testing.T, e *harness.Election, work *harness.Work, manner []string, flags ...string) *harness.Sidecar {
	t.Helper()
	pidFile := filepath.Join(t.TempDir(), "pid")
	s := e.Prepare(t, "web-0")
	s.Args = append(append(s.Args, "--pid-file", pidFile, "--on-elected", "USR1", "--on-lost", "TERM"), flags...)
	s.Start(t, e)
	harness.AwaitLeader(t, e.Duration+slack, s)
	app := work.Start(t, s.Pod, append(manner, "wait", "pid="+pidFile)...)
	t.Cleanup(app.KillGroup)
	work.Await(t, slack, s.Pod)
	return s
}

// startHeir starts replica web-1, whose command works while it leads, and waits until it stands by.
func startHeir(t *testing.T, e *harness.Election, work *harness.Work) *harness.Sidecar {
	t.Helper()
	heir := e.Prepare(t, "web-1")
	heir.Args = append(append(heir.Args, "--"), work.Command(heir.Pod)...)
	heir.Start(t, e)
	harness.Eventually(t, slack, "the heir stands by", func() bool { return heir.ProbeStatus("/readyz") == http.StatusOK })
	return heir
}
