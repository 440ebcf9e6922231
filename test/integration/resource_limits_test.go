//go:build linux

package integration

import (
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestNoDescriptorsLeft takes every free descriptor away from the leader, and has clients come. It renews on the
// connections that it has, and answers there; its files cannot be rewritten and fall silent; it does not spin. Given
// descriptors again, all is as before, in the same term. Without them it still hands over.
func TestNoDescriptorsLeft(t *testing.T) {
	t.Parallel()
	e, replicas, leader := elect(t, harness.Shared(t), 5*time.Second, 2)
	heir := harness.Others(replicas, leader)[0]
	_, token := leader.Leads()
	// One connection of the test's own: the harness's client may open another, which nobody would accept.
	standing := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxConnsPerHost: 1}}
	t.Cleanup(standing.CloseIdleConnections)
	leads := func() bool {
		res, err := standing.Get("http://" + leader.HTTP + "/leader")
		if err != nil {
			return false
		}
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		return err == nil && res.StatusCode == http.StatusOK && strings.Contains(string(body), `"token":"`+token+`"`)
	}
	harness.Eventually(t, slack, "it says so over HTTP", leads)

	giveBack := takeDescriptors(t, leader)
	crowd := harness.NewCrowd(t)
	crowd.Ask(60, leader.HTTP, "/leader")
	checkFilesGoSilent(t, leader, leads)
	used, from := harness.CPUTime(t, leader.PID()), time.Now()
	harness.Throughout(t, e.Duration, "it leads on, and says so on the connections that stand", leads)
	share := float64(harness.CPUTime(t, leader.PID())-used) / float64(time.Since(from))
	t.Logf("without descriptors it takes %.1f %% of a core; the crowd's answers: %v", 100*share, crowd.Answers())
	if share > 0.5 {
		t.Errorf("without descriptors it takes %.0f %% of a core, want it to wait", 100*share)
	}
	giveBack()
	harness.Eventually(t, slack, "the crowd is answered, and the files speak again, of the same term", func() bool {
		return filesSay(leader, token) && crowd.Answers()[http.StatusOK] > 0
	})

	takeDescriptors(t, leader)
	strike(t, syscall.SIGTERM, leader.PID())
	harness.AwaitLeader(t, 2*e.Duration+slack, heir)
	leader.AwaitExit(t, slack, 0)
	crowd.Leave()
}

// TestNoDescriptorsToReconnect takes the leader's connections to the API server away, too: it cannot open new ones, stops
// by its validUntil, and joins again once it can.
func TestNoDescriptorsToReconnect(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 5*time.Second)
	e.Ship(t)
	leader, line := prepareBehind(t, e, "web-0")
	heir := startWithHeir(t, e, leader)

	giveBack := takeDescriptors(t, leader)
	line.Reset()
	last := leader.State()
	harness.AwaitLeader(t, 2*e.Duration+slack, heir)
	if expiry := last.ValidUntil.Add(e.Duration - e.RenewDeadline()); sent(e, heir).Before(expiry) {
		t.Errorf("the heir took the Lease %v before it expired", expiry.Sub(sent(e, heir)))
	}
	giveBack()
	harness.Eventually(t, slack, "it joins again, and names its successor", func() bool {
		state := leader.State()
		return !state.IsLeader && state.Leader == heir.Pod
	})
}

// takeDescriptors lowers a process's limit, so that it can open nothing more, not even in place of what it closes, until
// the limit is given back.
func takeDescriptors(t *testing.T, s *harness.Sidecar) (giveBack func()) {
	t.Helper()
	var old unix.Rlimit
	if err := unix.Prlimit(s.PID(), unix.RLIMIT_NOFILE, nil, &old); err != nil {
		t.Fatalf("read the limit of descriptors: %v", err)
	}
	set := func(limit unix.Rlimit) {
		if err := unix.Prlimit(s.PID(), unix.RLIMIT_NOFILE, &limit, nil); err != nil {
			t.Errorf("set the limit of descriptors: %v", err)
		}
	}
	set(unix.Rlimit{Cur: 0, Max: old.Max}) // what is open stays so
	return func() { set(old) }
}

// TestMemoryLimitHit gives the leader no memory beyond what it has, and has clients come until the kernel kills it: the
// same as any other kill. Nobody leads before its Lease has run out.
func TestMemoryLimitHit(t *testing.T) {
	crowd := harness.NewLargeCrowd(t)
	e := harness.NewElection(t, harness.Shared(t), 5*time.Second)
	e.Ship(t)
	container := harness.NewCgroup(t)
	leader := e.Prepare(t, "web-0")
	leader.Binary = container.Launcher(leader.Binary)
	heir := startWithHeir(t, e, leader)
	container.Memory(int64(statusKiB(t, leader.PID(), "RssAnon"))<<10 + 8<<20)
	crowd.Ask(4000, leader.HTTP, "/leader")
	select {
	case <-leader.Exited():
	case <-time.After(slack):
		t.Fatalf("it lives, with %d MiB and %d clients", statusKiB(t, leader.PID(), "VmRSS")>>10, crowd.Present())
	}
	crowd.Leave()
	if leader.State().IsLeader {
		checkCrash(t, e, leader, heir)
	}
	harness.AwaitLeader(t, 2*e.Duration+slack, heir)
}

// TestStarvedOfCPU leaves the leader a twentieth of a core, and then every replica: leadership may be lost, never doubled,
// and is back when the processors are.
func TestStarvedOfCPU(t *testing.T) {
	t.Parallel()
	const share = 0.05
	e := harness.NewElection(t, harness.Shared(t), 5*time.Second)
	e.Ship(t)
	var replicas []*harness.Sidecar
	groups := map[*harness.Sidecar]*harness.Cgroup{}
	for _, name := range []string{"web-0", "web-1", "web-2"} {
		s := e.Start(t, name)
		groups[s] = harness.NewCgroup(t)
		groups[s].Add(s.PID())
		replicas = append(replicas, s)
	}
	witness := watch(t, replicas...)
	leader := harness.AwaitLeader(t, e.Duration+slack, replicas...)
	for _, starved := range [][]*harness.Sidecar{{leader}, replicas} {
		for _, s := range starved {
			groups[s].CPU(share)
		}
		time.Sleep(3 * e.Duration) // what becomes of it is the witness's to judge
		for _, s := range starved {
			groups[s].CPU(0)
		}
		harness.AwaitLeader(t, 2*e.Duration+slack, replicas...)
	}
	awaitAgreement(t, slack, replicas)
	t.Logf("terms as the files showed them: %d", len(witness.Terms("state")))
}

// TestNoProcessesLeft has the leader's app start processes until its pod may have no more. The app fails of it, and all
// that it started is killed; the sidecar lives and hands over, before the Lease could run out.
func TestNoProcessesLeft(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 5*time.Second)
	e.Ship(t)
	to := newGuarded(t)
	pods := startPods(t, e, to, `trap 'while :; do sleep 60 & done' USR1; `)
	leader, _ := awaitPod(t, e.Duration+slack, to, pods...)
	heir, app := heirOf(pods, leader), leader.app(t)
	leader.node.Threads(80) // of which the sidecar and its guard have some twenty
	awaitRenewal(t, leader.Sidecar)
	last := leader.State()
	strike(t, syscall.SIGUSR1, app)
	harness.Eventually(t, slack, "the app has ended", func() bool { return !harness.Runs(app) })
	awaitPod(t, e.Duration+slack, to, heir)
	if expiry := last.ValidUntil.Add(e.Duration - e.RenewDeadline()); !sent(e, heir.Sidecar).Before(expiry) {
		t.Errorf("the heir took the Lease %v after it had expired, want it handed over", sent(e, heir.Sidecar).Sub(expiry))
	}
	if !leader.Alive() {
		t.Error("the sidecar has ended with its app")
	}
	harness.Eventually(t, slack, "what the app started is gone", func() bool { return len(leader.node.PIDs()) <= 2 })
}
