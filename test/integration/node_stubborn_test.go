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
			pods := startPods(t, e, to, stubborn)
			leader, _ := awaitPod(t, e.Duration+slack, to, pods...)
			heir, app := heirOf(pods, leader), leader.app(t)
			tc.end(t, leader)
			checkHeldWhile(t, e, leader.Sidecar, app)
			awaitPod(t, e.Duration+slack, to, heir)
		})
	}
}

// TestStubbornProcess is fault 15 where the app is not the sidecar's to kill: a process that a signal asks to end,
// and does not. For as long as it is seen to live the Lease is kept, by renewals; its end releases it.
func TestStubbornProcess(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 5*time.Second)
	e.Ship(t)
	leader := e.Prepare(t, "web-0")
	app := startSignalled(t, leader, "TERM", "trap : USR1 TERM").PID()
	heir := startWithHeir(t, e, leader)
	leader.StepDown(t)
	harness.Throughout(t, 2*e.Duration, "the Lease is kept while the process lives", func() bool {
		leads, _ := heir.Leads()
		return !leads && harness.Runs(app)
	})
	strike(t, syscall.SIGKILL, app)
	checkHeldWhile(t, e, leader, app)
	harness.AwaitLeader(t, slack, heir)
}

// startSignalled starts a shell that runs the script, writes down its pid and lives on, and has the replica signal it: SIGUSR1 when
// elected, onLost when lost. In the script $1 and so on are the arguments.
func startSignalled(t *testing.T, s *harness.Sidecar, onLost, script string, args ...string) *harness.Process {
	t.Helper()
	pidFile := filepath.Join(t.TempDir(), "pid")
	script += `; echo $$ >"$0.new"; mv "$0.new" "$0"; while :; do sleep 0.05; done`
	p := harness.Launch(t, "workload", pidFile+".log", "/bin/sh", append([]string{"-c", script, pidFile}, args...), os.Environ())
	harness.Eventually(t, slack, "the process has set its traps", func() bool {
		_, err := os.Stat(pidFile)
		return err == nil
	})
	s.Args = append(s.Args, "--pid-file", pidFile, "--on-elected", "USR1", "--on-lost", onLost)
	return p
}

// TestUnseenApp is fault 15 where nobody can see the app: the Lease is not released before the validUntil that was
// published last.
func TestUnseenApp(t *testing.T) {
	t.Parallel()
	e, replicas, leader := elect(t, harness.Shared(t), 5*time.Second, 2, "--placement", "classic")
	heir := harness.Others(replicas, leader)[0]
	awaitRenewal(t, leader)
	document := leader.State()
	strike(t, syscall.SIGTERM, leader.PID())
	harness.AwaitLeader(t, 2*e.Duration+slack, heir)
	if took := sent(e, heir); took.Before(document.ValidUntil) {
		t.Errorf("the heir took the Lease %v before the app could no longer believe", document.ValidUntil.Sub(took))
	}
	leader.AwaitExit(t, slack, 0)
	if !strings.Contains(leader.Log(), "validUntil has passed") {
		t.Error("the log does not say why the app counts as stopped")
	}
}

// checkHeldWhile watches until the process has ended that the Lease is still the replica's.
func checkHeldWhile(t *testing.T, e *harness.Election, s *harness.Sidecar, app int) {
	t.Helper()
	identity := s.Pod + "_" + s.UID
	harness.Eventually(t, e.Duration+slack, "the app is killed", func() bool {
		holder := e.Holder(t)
		lives := harness.Runs(app) // looked at after the Lease: it lived then too
		if lives && holder != identity {
			t.Fatalf("the Lease is held by %q while the app of %s runs", holder, identity)
		}
		return !lives
	})
}

// The tests below, and TestSIGTERMComesBeforeTheAppEnds, judge by what two workloads wrote down themselves, on the boot clock:
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
			s.StepDown(t)
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
			s, line := prepareBehind(t, e, "web-0")
			s.Args = append(s.Args, "--health-file", healthy, "--health-interval", "100ms", "--health-threshold", "1", "--")
			s.Args = append(s.Args, work.Command(t, s.Pod, harness.Conduct{"Stop": time.Minute}, "-child")...)
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
			s := startWithProcess(t, e, work, harness.Conduct{"Workers": 1, "Leave": true, "Deaf": true, "Linger": time.Hour}, nil, flags...)
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
	work, endpoint := harness.NewWork(t), harness.FreeAddress(t)
	s := startWithProcess(t, e, work, harness.Conduct{"Stop": 4 * time.Second, "Unlisten": true}, []string{"-health", endpoint},
		"--health-tcp", endpoint, "--health-while", "leading")
	startHeir(t, e, work)
	awaitRenewal(t, s)
	s.StepDown(t)
	work.Await(t, e.Duration+slack, "web-1")
	work.Verdict(t)
}

// knows reports whether the sidecar under test has a flag: one that was built before may not.
func knows(t *testing.T, flag string) bool {
	t.Helper()
	help, _ := harness.RunCommand(t, harness.Binary(t), "run", "--help")
	return strings.Contains(help, flag)
}

// startWithProcess starts replica web-0, which notifies its workload by process signals, waits until it leads, and starts the
// workload, which SIGTERM ends.
func startWithProcess(t *testing.T, e *harness.Election, work *harness.Work, how harness.Conduct, args []string, flags ...string) *harness.Sidecar {
	t.Helper()
	pidFile := filepath.Join(t.TempDir(), "pid")
	s := e.Prepare(t, "web-0")
	s.Args = append(append(s.Args, "--pid-file", pidFile, "--on-elected", "USR1", "--on-lost", "TERM"), flags...)
	s.Start(t, e)
	harness.AwaitLeader(t, e.Duration+slack, s)
	work.Start(t, s.Pod, how, append(args, "-pid-file", pidFile)...)
	work.Await(t, slack, s.Pod)
	return s
}

// startHeir starts replica web-1, whose command works while it leads, and waits until it stands by.
func startHeir(t *testing.T, e *harness.Election, work *harness.Work) *harness.Sidecar {
	t.Helper()
	heir := e.Prepare(t, "web-1")
	heir.Args = append(append(heir.Args, "--"), work.Command(t, heir.Pod, nil, "-child")...)
	heir.Start(t, e)
	harness.Eventually(t, slack, "the heir stands by", func() bool { return heir.ProbeStatus("/readyz") == http.StatusOK })
	return heir
}
