//go:build linux

package integration

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestLateRequests lets one write reach the API server 6.5 s after it was sent, as the next that is taken. Its sender
// has given it up by then, and its renew deadline of 6 s has passed: to the store it is a new version of the Lease and
// restarts every wait; to its sender it is worth nothing any more, as it counts from before it was sent.
func TestLateRequests(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		kind func(*http.Request) bool
		// midTerm waits for a leader first, absent ships no Lease, and steps makes the leader step down.
		midTerm, absent, steps bool
		// free says that whoever sees the write may take the Lease at once.
		free bool
	}{
		{name: "renewal", kind: isUpdate, midTerm: true},
		{name: "take", kind: isUpdate},
		{name: "release", kind: harness.IsRelease, midTerm: true, steps: true, free: true},
		{name: "create", kind: isCreate, absent: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := harness.NewElection(t, harness.Shared(t), 9*time.Second)
			if !tc.absent {
				e.Ship(t)
			}
			late := &straggler{kind: tc.kind, late: 6500 * time.Millisecond, asleep: tc.midTerm}
			replicas, storms := startVia(t, e, late.storm(e.Cluster))
			before := ""
			if tc.midTerm {
				leader := awaitAgreement(t, e.Duration+slack, replicas)
				_, before = leader.Leads()
			}
			late.wake()
			if tc.steps {
				stepDown(t, replicas)
			}
			_, arrives := late.await(t, e.Duration+slack)
			known := version(t, e)
			if tc.midTerm {
				checkNobodyLeads(t, e, replicas, arrives.Add(-late.late), arrives)
			}
			harness.Eventually(t, arrives.Sub(now())+slack, "the late write is taken", func() bool { return version(t, e) != known })
			if early := arrives.Sub(now()); early > 0 {
				t.Fatalf("a write was taken %v before the late one came", early)
			}
			faultAll(storms, nil)
			next, taken := nextTerm(t, e, before, replicas)
			if waited := taken.Sub(arrives); waited < e.Duration && !tc.free {
				t.Errorf("%s took the Lease %v after the late write came, want at least %v", next.Pod, waited, e.Duration)
			}
			if waited := taken.Sub(arrives); waited < 0 {
				t.Errorf("%s took the Lease %v before the late write came, which alone was let through", next.Pod, -waited)
			}
			awaitAgreement(t, slack, replicas)
		})
	}
}

// checkNobodyLeads checks that the term under way ends, as its renewals do not come through from cut on, and that
// nothing says "leader" from a renew deadline after cut until the write that comes late has arrived.
func checkNobodyLeads(t *testing.T, e *harness.Election, replicas []*harness.Sidecar, cut, until bootclock.Instant) {
	t.Helper()
	deadline := cut.Add(e.RenewDeadline())
	time.Sleep(deadline.Sub(now()))
	harness.Throughout(t, until.Sub(now()), "nobody leads until the late write arrives", leaderlessly(replicas))
}

// version is the Lease's resourceVersion; "" where there is no Lease.
func version(t *testing.T, e *harness.Election) string {
	t.Helper()
	list, err := e.Cluster.Admin.CoordinationV1().Leases(e.Namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatalf("list the Leases: %v", err)
	}
	for _, l := range list.Items {
		if l.Name == e.Lease {
			return l.ResourceVersion
		}
	}
	return ""
}

// stepDown has the leader hand over, whose app has stopped.
func stepDown(t *testing.T, replicas []*harness.Sidecar) {
	t.Helper()
	leader := harness.AwaitLeader(t, slack, replicas...)
	leader.StepDown(t)
	awaitDrained(t, leader)
}

// awaitDrained reports that the work of a leader which hands over has stopped, until it takes that: soon after it says so.
func awaitDrained(t *testing.T, leader *harness.Sidecar) {
	t.Helper()
	harness.Eventually(t, slack, "the leader takes the report that its work has stopped", func() bool {
		status := leader.Post("/drained")
		return status == http.StatusOK || status == http.StatusAccepted
	})
}

// TestOvertakenRequests lets a write arrive when another has long been taken in its place: it is refused, whatever
// it was, and the term that stands goes on.
func TestOvertakenRequests(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		kind   func(*http.Request) bool
		absent bool // no Lease is shipped
		steps  bool // a leader that steps down sends it, else a candidate in its first campaign
	}{
		{name: "take", kind: isUpdate},
		{name: "create", kind: isCreate, absent: true},
		{name: "release", kind: harness.IsRelease, steps: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := harness.NewElection(t, harness.Shared(t), 3*time.Second)
			if !tc.absent {
				e.Ship(t)
			}
			since := time.Now()
			late := &straggler{kind: tc.kind, late: 8 * time.Second, asleep: tc.steps}
			replicas, storms := startVia(t, e, late.storm(e.Cluster))
			before := ""
			if tc.steps {
				_, before = harness.AwaitLeader(t, e.Duration+slack, replicas...).Leads()
				late.wake()
				stepDown(t, replicas)
			}
			caughtAt, arrives := late.await(t, e.Duration+slack)
			var sender *harness.Sidecar
			for s, storm := range storms {
				if storm.Host() == caughtAt {
					sender = s
				} else {
					storm.Faults(nil)
				}
			}
			nextTerm(t, e, before, harness.Others(replicas, sender))
			heir := awaitAgreement(t, slack, replicas)
			if early := arrives.Sub(now()); early < 0 {
				t.Fatalf("the late write came %v before there was another leader: nothing was tested", -early)
			}
			harness.Throughout(t, arrives.Sub(now())+time.Second, "the heir's term until the late write has come, and after", steady(heir))
			code := http.StatusConflict
			harness.Eventually(t, slack, "the late write is refused", func() bool {
				return len(e.Cluster.Audit.Requests(t, since, func(r harness.Request) bool {
					return r.User == accountOf(e, sender) && r.Code == code
				})) > 0
			})
			storms[sender].Faults(nil)
		})
	}
}

// TestAppliedButRefused answers every write with 503 although the API server has taken it, and has no watch bring the
// truth: the replicas find out by reading, so that a term begins and goes on over many renewals. With their watches
// back, it is handed over at once, by a release that was refused likewise.
func TestAppliedButRefused(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 9*time.Second)
	e.Ship(t)
	applied := harness.Fate{Status: http.StatusServiceUnavailable, Applied: true}
	var watching atomic.Bool
	replicas, _ := startVia(t, e, func(t testing.TB) *harness.Storm {
		storm := e.Cluster.Storm(t)
		storm.Faults(func(r *http.Request) harness.Fate {
			switch {
			case isWrite(r):
				return applied
			case isWatch(r) && !watching.Load():
				return harness.Fate{Status: http.StatusServiceUnavailable}
			}
			return harness.Fate{}
		})
		return storm
	})
	leader := harness.AwaitLeader(t, e.Duration+slack, replicas...)
	harness.Throughout(t, 2*e.RenewDeadline(), "the same term for twice the renew deadline", steady(leader))
	watching.Store(true)
	checkHandoverSeen(t, e, replicas)
}

// TestDelayedReplies holds every answer of the API server back for half a second: the term goes on, and each
// renewal carries it from before it was sent, so that half a second of its validity is gone when it is known.
func TestDelayedReplies(t *testing.T) {
	t.Parallel()
	const delay = 500 * time.Millisecond
	e := harness.NewElection(t, harness.Shared(t), 9*time.Second)
	e.Ship(t)
	replicas, lines := startVia(t, e, e.Cluster.Proxy)
	leader := harness.AwaitLeader(t, e.Duration+slack, replicas...)
	awaitRenewal(t, leader)
	for _, line := range lines {
		line.Delay(harness.Replies, delay)
	}
	same, seen := steady(leader), leader.State().ValidUntil
	renewals := 0
	for end := now().Add(2 * e.RenewDeadline()); now().Before(end); time.Sleep(5 * time.Millisecond) {
		if !same() {
			t.Fatal("the term ended although every renewal was answered in time")
		}
		until := leader.State().ValidUntil
		if until == seen {
			continue
		}
		if age := now().Sub(until.Add(-e.RenewDeadline())); age < delay {
			t.Errorf("a renewal is known %v after the instant that its validity counts from, want at least the delay %v", age, delay)
		}
		seen = until
		renewals++
	}
	if renewals == 0 {
		t.Error("no renewal was seen: nothing was tested")
	}
}

// straggler holds back the first request of a kind, and refuses every write after it, from whomever, so that it is
// the next that the store takes, however late it comes.
type straggler struct {
	kind func(*http.Request) bool
	late time.Duration

	mu      sync.Mutex
	asleep  bool              // until wake, every request passes
	arrives bootclock.Instant // no earlier than then; 0: none was caught yet
	host    string            // of the storm that caught it
}

// storm opens ways through storms that look out for the request.
func (s *straggler) storm(c *harness.Cluster) func(testing.TB) *harness.Storm {
	return func(t testing.TB) *harness.Storm {
		storm := c.Storm(t)
		storm.Faults(func(r *http.Request) harness.Fate { return s.fate(storm.Host(), r) })
		return storm
	}
}

func (s *straggler) fate(host string, r *http.Request) harness.Fate {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.asleep:
	case s.arrives == 0 && s.kind(r):
		s.arrives, s.host = now().Add(s.late), host
		return harness.Fate{Late: s.late}
	case s.arrives != 0 && isWrite(r):
		return harness.Fate{Status: http.StatusServiceUnavailable}
	}
	return harness.Fate{}
}

// wake starts the looking out.
func (s *straggler) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asleep = false
}

// await waits until the request has been caught, and returns the host that it was sent to and when it arrives, at the
// earliest.
func (s *straggler) await(t *testing.T, bound time.Duration) (string, bootclock.Instant) {
	t.Helper()
	harness.Eventually(t, bound, "the request that is to come late is sent", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.arrives != 0
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.host, s.arrives
}
