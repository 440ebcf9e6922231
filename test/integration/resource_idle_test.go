//go:build linux

package integration

import (
	"math"
	"os"
	"runtime"
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
	time.Sleep(15 * time.Second) // what the start needed is over
	for _, c := range []struct {
		role string
		pids []int
		most int
	}{
		{"leader", withGuard(t, leader.PID()), leaderSleeps},
		{"standby", withGuard(t, standby.PID()), standbySleeps},
	} {
		got := math.MaxInt
		for range 3 { // other processes of a busy machine only add to it: the quietest time counts
			from := sleeps(t, c.pids)
			time.Sleep(10 * time.Second)
			got = min(got, sleeps(t, c.pids)-from)
			if got <= c.most {
				break
			}
		}
		t.Logf("the %s and its guard went to sleep %d times in 10 s", c.role, got)
		if got > c.most || got == 0 {
			t.Errorf("the %s and its guard went to sleep %d times in 10 s; want some, and at most %d", c.role, got, c.most)
		}
	}
	if leaderNow, _ := leader.Leads(); !leaderNow {
		t.Error("the leader did not stay one")
	}
}

// withGuard returns a sidecar's process and its guard, the only child that it has.
func withGuard(t *testing.T, pid int) []int {
	t.Helper()
	pids := append([]int{pid}, harness.Children(pid)...)
	if len(pids) != 2 {
		t.Fatalf("process %d has the children %v; want the guard alone", pid, pids[1:])
	}
	return pids
}

// sleeps returns how often the threads of processes have gone to sleep so far: their voluntary context switches.
func sleeps(t *testing.T, pids []int) (n int) {
	t.Helper()
	for _, pid := range pids {
		threads := harness.Threads(pid)
		if len(threads) == 0 {
			t.Fatalf("process %d has no threads: it has ended", pid)
		}
		for _, tid := range threads {
			n += harness.StatusField(tid, "voluntary_ctxt_switches")
		}
	}
	return n
}

// The figures that the documentation names for the shipped binary.
const (
	maxBinaryBytes = 19_400_000 // 0.5 MB of it are for --debug-address: the profiles and metrics of the Go runtime
	maxWorkingSet  = 8 << 20
	maxIdleKiB     = 24 << 10 // with the pages of the program that are in use, which all sidecars of a node share
)

// TestWeight measures the shipped binary and the memory of a sidecar that leads: the working set, which the kubelet counts, and the
// resident memory.
func TestWeight(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 15*time.Second)
	e.Ship(t)
	s := e.Prepare(t, "web-0")
	group := harness.NewCgroup(t)
	s.Binary = harness.ShippedBinary(t)
	s.Args = append(s.Args, "--log-level", "info") // the last one counts: the default, not the tests' own
	info, err := os.Stat(s.Binary)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the shipped binary has %.1f MB (%s/%s)", float64(info.Size())/1e6, runtime.GOOS, runtime.GOARCH)
	if info.Size() > maxBinaryBytes {
		t.Errorf("the shipped binary has %d bytes, want at most %d", info.Size(), maxBinaryBytes)
	}

	s.Binary = group.Launcher(s.Binary)
	s.Start(t, e)
	harness.AwaitLeader(t, e.Duration+slack, s)
	for _, path := range []string{"/livez", "/readyz", "/metrics", "/leader"} { // as the kubelet and Prometheus do
		s.ProbeStatus(path)
	}
	time.Sleep(20 * time.Second)
	s.ProbeStatus("/metrics")
	set := group.MemoryUse().WorkingSet
	t.Logf("a leading sidecar, idle: working set %.1f MiB", float64(set)/(1<<20))
	if set > maxWorkingSet || set < 1<<20 {
		t.Errorf("a leading sidecar has a working set of %d bytes, want at most %d, and some", set, maxWorkingSet)
	}
	resident := statusKiB(t, s.PID(), "VmRSS")
	t.Logf("a leading sidecar, idle: RSS %.1f MiB, of it %.1f of its own and %.1f of the binary's file",
		mib(resident), mib(statusKiB(t, s.PID(), "RssAnon")), mib(statusKiB(t, s.PID(), "RssFile")))
	if resident > maxIdleKiB {
		t.Errorf("a leading sidecar takes %d KiB, want at most %d", resident, maxIdleKiB)
	}
}

func mib(kib int) float64 { return float64(kib) / 1024 }

// statusKiB returns a figure of /proc/PID/status, such as VmRSS, in KiB.
func statusKiB(t *testing.T, pid int, field string) int {
	t.Helper()
	kib := harness.StatusField(pid, field)
	if kib == 0 {
		t.Fatalf("process %d has no %s: it has ended", pid, field)
	}
	return kib
}

// budget is the most that an election may ask of the API server, in requests a second, however many replicas.
const budget = 0.36

// TestRequestBudget counts what three idle replicas ask of the API server in a minute, and who asked, by its audit log. Each replica
// has an account of its own.
func TestRequestBudget(t *testing.T) {
	t.Parallel()
	const span = 60 * time.Second
	e := harness.NewElection(t, harness.Shared(t), 15*time.Second)
	e.Ship(t)
	replicas, _ := startVia(t, e, func(testing.TB) *harness.Cluster { return e.Cluster })
	leader := awaitAgreement(t, e.Duration+slack, replicas)

	from := time.Now()
	time.Sleep(span)
	to := time.Now()
	all, opened := 0, 0                  // opened: watches that began
	asked := map[string]map[string]int{} // account → verb → count
	ours := func(r harness.Request) bool { return r.Namespace == e.Namespace && r.Received.Before(to) }
	for _, r := range e.Cluster.Audit.Requests(t, from, ours) {
		if r.Watching {
			opened++
			continue
		}
		all++
		if asked[r.User] == nil {
			asked[r.User] = map[string]int{}
		}
		asked[r.User][r.Verb]++
	}
	rate := float64(all) / to.Sub(from).Seconds()
	t.Logf("%.2f requests a second; by account: %v", rate, asked)
	if rate > budget {
		t.Errorf("three replicas make %.2f requests a second, want at most %.2f", rate, budget)
	}
	if opened != 0 {
		t.Errorf("%d watches were opened in the minute, want none: they stand", opened)
	}
	if asked[accountOf(e, leader)]["update"] == 0 {
		t.Error("the leader has not renewed: nothing was measured")
	}
	for _, s := range harness.Others(replicas, leader) {
		if verbs := asked[accountOf(e, s)]; len(verbs) != 0 {
			t.Errorf("the standby %s asked for %v, want nothing but its watch", s.Pod, verbs)
		}
	}
	if same, _ := leader.Leads(); !same {
		t.Error("the leader changed within the minute: it was not idle")
	}
}
