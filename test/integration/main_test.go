//go:build linux

package integration

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// slack is room for a slow machine in bounds from above. Bounds from below (never too early) have none.
const slack = 30 * time.Second

// promised are the flags of replicas whose workload always stops at once when the term is lost: nothing else shows it here.
var promised = []string{"--drain-timeout", "50ms"}

// now reads the clock that sidecars and tests share.
func now() bootclock.Instant { return bootclock.System{}.Now() }

// watch has a witness watch replicas until the test ends, and then judge: no two of them ever lead at once, and the tokens rise from
// term to term.
func watch(t *testing.T, replicas ...*harness.Sidecar) *harness.Witness {
	t.Helper()
	w := harness.Watch(t, replicas...)
	t.Cleanup(func() { w.Verdict(t) })
	return w
}

// elect ships a Lease, starts n replicas with those flags, watches them, and waits until one leads.
func elect(t *testing.T, c *harness.Cluster, duration time.Duration, n int, flags ...string) (
	e *harness.Election, replicas []*harness.Sidecar, leader *harness.Sidecar,
) {
	t.Helper()
	e = harness.NewElection(t, c, duration)
	e.Flags = flags
	e.Ship(t)
	replicas = e.StartAll(t, n)
	watch(t, replicas...)
	return e, replicas, harness.AwaitLeader(t, duration+slack, replicas...)
}

// leadAlone starts one replica with those flags on a Lease that is free, and waits until it leads.
func leadAlone(t *testing.T, duration time.Duration, flags ...string) (*harness.Election, *harness.Sidecar) {
	t.Helper()
	e := harness.NewElection(t, harness.Shared(t), duration)
	e.Flags = flags
	e.ShipFree(t)
	s := e.Start(t, "web-0")
	harness.AwaitLeader(t, duration+slack, s)
	return e, s
}

// prepareBehind prepares a replica that reaches the API server by a line of its own.
func prepareBehind(t *testing.T, e *harness.Election, pod string) (*harness.Sidecar, *harness.Proxy) {
	t.Helper()
	s, line := e.Prepare(t, pod), e.Cluster.Proxy(t)
	s.Kubeconfig = e.Access.Kubeconfig(t, line.Host())
	return s, line
}

// startWithHeir starts a prepared replica and, once it leads, replica web-1, which stands by and names it. It watches both.
func startWithHeir(t *testing.T, e *harness.Election, leader *harness.Sidecar) (heir *harness.Sidecar) {
	t.Helper()
	leader.Start(t, e)
	harness.AwaitLeader(t, e.Duration+slack, leader)
	heir = e.Start(t, "web-1")
	watch(t, leader, heir)
	awaitAgreement(t, slack, []*harness.Sidecar{leader, heir})
	return heir
}

// awaitNaming waits until a replica names another one as the leader.
func awaitNaming(t *testing.T, s, leader *harness.Sidecar) {
	t.Helper()
	harness.Eventually(t, slack, s.Pod+" names "+leader.Pod, func() bool {
		_, l := s.Leader()
		return l.Leader == leader.Pod
	})
}

// leaderlessly returns a condition: nobody publishes that it leads, and all live.
func leaderlessly(replicas []*harness.Sidecar) func() bool {
	return func() bool {
		return !slices.ContainsFunc(replicas, func(s *harness.Sidecar) bool { leads, _ := s.Leads(); return leads || !s.Alive() })
	}
}

// sent returns when the newest applied write of a leader was sent, reckoned from what it published.
func sent(e *harness.Election, s *harness.Sidecar) bootclock.Instant {
	return s.State().ValidUntil.Add(-e.RenewDeadline())
}
