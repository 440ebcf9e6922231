//go:build linux

package integration

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestBlackholedLeader cuts the leader's line, one way or both, and heals it at every phase of what follows. A short
// cut costs nothing; a longer one ends the term by its validUntil, and nobody takes the Lease before it has expired.
// Whatever arrives late in the end clears no other holder's record.
func TestBlackholedLeader(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		ways harness.Way
	}{
		{"requests", harness.Requests},
		{"replies", harness.Replies},
		{"both", harness.Both},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := harness.NewElection(t, harness.Shared(t), 5*time.Second)
			e.Ship(t)
			since, h := time.Now(), recordHistory(t, e)
			replicas, lines := startVia(t, e, e.Cluster.Proxy)
			harness.AwaitLeader(t, e.Duration+slack, replicas...)
			b := blackhole{e: e, replicas: replicas, lines: lines}
			for _, phase := range []struct {
				name string
				run  func(*testing.T, *harness.Sidecar)
			}{
				{"before the next renewal", func(t *testing.T, leader *harness.Sidecar) { b.bridge(t, leader, b.interval()/2) }},
				{"while a renewal hangs", func(t *testing.T, leader *harness.Sidecar) { b.bridge(t, leader, b.interval()*5/4) }},
				{"after validUntil, before the expiry", b.healAfterValidUntil},
				{"after the takeover", b.healAfterTakeover},
			} {
				leader := awaitAgreement(t, 2*e.Duration+slack, replicas)
				t.Logf("the line of %s is cut, and healed %s", leader.Pod, phase.name)
				awaitRenewal(t, leader)
				lines[leader].CutWays(tc.ways)
				phase.run(t, leader)
			}
			awaitAgreement(t, 2*e.Duration+slack, replicas)
			checkNoTakeBeforeExpiry(t, e, since)
			if holders := h.holders(); len(holders) < 3 || slices.Contains(holders[1:], "") {
				t.Errorf("the Lease was held by %q in turn, want nobody to blank it and two holders at least", holders)
			}
		})
	}
}

// blackhole is an election whose leader's line has just been cut.
type blackhole struct {
	e        *harness.Election
	replicas []*harness.Sidecar
	lines    map[*harness.Sidecar]*harness.Proxy
}

// bridge heals the line after so short a time that the term goes on.
func (b blackhole) bridge(t *testing.T, leader *harness.Sidecar, after time.Duration) {
	t.Helper()
	same := steady(leader)
	harness.Throughout(t, after, "the same term while the line is cut", same)
	b.lines[leader].Heal()
	harness.Throughout(t, 2*b.interval(), "the same term after the cut", same)
}

func (b blackhole) healAfterValidUntil(t *testing.T, leader *harness.Sidecar) {
	_, before := leader.Leads()
	deadline := leader.State().ValidUntil
	checkLossByDeadline(t, leader, deadline.Add(b.e.Duration/10))
	b.lines[leader].Heal()
	// A renewal that hung may arrive now, and begin a new term of the same replica; else another's begins later.
	nextTerm(t, b.e, before, b.replicas)
}

func (b blackhole) healAfterTakeover(t *testing.T, leader *harness.Sidecar) {
	checkLossByDeadline(t, leader, leader.State().ValidUntil.Add(b.e.Duration/10))
	heir := harness.AwaitLeader(t, b.e.Duration+slack, harness.Others(b.replicas, leader)...)
	same := steady(heir)
	b.lines[leader].Heal()
	harness.Throughout(t, 2*b.interval(), "the heir's term after the old leader's return", same)
	awaitNaming(t, leader, heir)
}

// interval is the documented renew interval.
func (b blackhole) interval() time.Duration { return max(b.e.Duration/5, time.Second) }

// way is how a replica reaches the API server: a proxy or a storm.
type way interface{ Host() string }

// startVia starts and watches three replicas, each with a way of its own and an account of its own, by which the audit log
// distinguishes them.
func startVia[W way](t *testing.T, e *harness.Election, open func(testing.TB) W) ([]*harness.Sidecar, map[*harness.Sidecar]W) {
	t.Helper()
	var replicas []*harness.Sidecar
	ways := map[*harness.Sidecar]W{}
	for i := range 3 {
		s := e.Prepare(t, fmt.Sprintf("web-%d", i))
		ways[s] = open(t)
		account := e.Cluster.Grant(t, e.Namespace, s.Pod, append(harness.DocumentedRules(e.Lease), harness.CreateRule())...)
		s.Kubeconfig = account.Kubeconfig(t, ways[s].Host())
		s.Start(t, e)
		replicas = append(replicas, s)
	}
	watch(t, replicas...)
	return replicas, ways
}

// accountOf names a replica of startVia as the audit log does.
func accountOf(e *harness.Election, s *harness.Sidecar) string {
	return "system:serviceaccount:" + e.Namespace + ":" + s.Pod
}

// asked returns what a replica of startVia has asked the API server and been answered since then, watches left out.
func asked(t *testing.T, e *harness.Election, s *harness.Sidecar, since time.Time, verb string) []harness.Request {
	t.Helper()
	return e.Cluster.Audit.Requests(t, since, func(r harness.Request) bool {
		return r.User == accountOf(e, s) && r.Verb == verb && !r.Watching
	})
}

// checkNoTakeBeforeExpiry checks by the audit log that nobody wrote the Lease after another's write earlier than a
// lease duration after it. It holds only where nobody has released the Lease since then.
func checkNoTakeBeforeExpiry(t *testing.T, e *harness.Election, since time.Time) {
	t.Helper()
	const slewed = 20 * time.Millisecond // the log is on the wall clock, which may run a little slower for a while
	var last harness.Request
	for _, r := range e.Cluster.Audit.Requests(t, since, func(r harness.Request) bool {
		return r.Namespace == e.Namespace && r.Verb == "update" && r.Code == http.StatusOK
	}) {
		if waited := r.Received.Sub(last.Received); last.User != "" && r.User != last.User && waited < e.Duration-slewed {
			t.Errorf("%s took the Lease %v after %s had written it, want at least %v", r.User, waited, last.User, e.Duration)
		}
		last = r
	}
}

// steady returns a condition: the leader publishes that it leads, with the token that it has now.
func steady(leader *harness.Sidecar) func() bool {
	_, token := leader.Leads()
	return func() bool {
		leads, same := leader.Leads()
		return leads && same == token
	}
}

// awaitAgreement waits until every replica names one of them as the leader, and that one says so too.
func awaitAgreement(t *testing.T, bound time.Duration, replicas []*harness.Sidecar) *harness.Sidecar {
	t.Helper()
	var leader *harness.Sidecar
	harness.Eventually(t, bound, "all name one leader, which leads", func() bool {
		leader = nil
		names := map[string]bool{}
		for _, s := range replicas {
			_, l := s.Leader()
			names[l.Leader] = true
			if leads, _ := s.Leads(); leads {
				leader = s
			}
		}
		return leader != nil && len(names) == 1 && names[leader.Pod]
	})
	return leader
}

// history is every version of a Lease that an administrator's watch has shown.
type history struct {
	mu       sync.Mutex
	versions []*coordinationv1.Lease
}

func recordHistory(t *testing.T, e *harness.Election) *history {
	t.Helper()
	w, err := e.Cluster.Admin.CoordinationV1().Leases(e.Namespace).Watch(t.Context(), metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, e.Lease).String(),
	})
	if err != nil {
		t.Fatalf("watch the Lease: %v", err)
	}
	h := &history{}
	var reading sync.WaitGroup
	reading.Go(func() {
		for event := range w.ResultChan() {
			if l, ok := event.Object.(*coordinationv1.Lease); ok {
				h.mu.Lock()
				h.versions = append(h.versions, l)
				h.mu.Unlock()
			}
		}
	})
	t.Cleanup(func() {
		w.Stop()
		reading.Wait()
	})
	return h
}

// holders returns the holders in the order in which the store had them, none twice in a row; "" is nobody.
func (h *history) holders() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var holders []string
	for _, l := range h.versions {
		holder := ""
		if l.Spec.HolderIdentity != nil {
			holder = *l.Spec.HolderIdentity
		}
		if len(holders) == 0 || holders[len(holders)-1] != holder {
			holders = append(holders, holder)
		}
	}
	return holders
}

// Kinds of requests, as a storm sees them.
func isWatch(r *http.Request) bool  { return r.URL.Query().Has("watch") }
func isRead(r *http.Request) bool   { return r.Method == http.MethodGet && !isWatch(r) }
func isUpdate(r *http.Request) bool { return r.Method == http.MethodPut }
func isCreate(r *http.Request) bool { return r.Method == http.MethodPost }
func isWrite(r *http.Request) bool  { return isUpdate(r) || isCreate(r) }
func isAny(*http.Request) bool      { return true }

// meet lets requests of a kind meet a fate; the others pass.
func meet(kind func(*http.Request) bool, fate harness.Fate) func(*http.Request) harness.Fate {
	return func(r *http.Request) harness.Fate {
		if kind(r) {
			return fate
		}
		return harness.Fate{}
	}
}

// every lets all requests meet a fate.
func every(fate harness.Fate) func(*http.Request) harness.Fate {
	return func(*http.Request) harness.Fate { return fate }
}

// passes lets a request pass.
func passes(*http.Request) harness.Fate { return harness.Fate{} }

// refused is a fate for requests of a kind; the others pass.
func refused(kind func(*http.Request) bool, status int) func(*http.Request) harness.Fate {
	return meet(kind, harness.Fate{Status: status})
}

// faultAll sets what becomes of all replicas' requests.
func faultAll[W interface {
	Faults(func(*http.Request) harness.Fate)
}](ways map[*harness.Sidecar]W, decide func(*http.Request) harness.Fate) {
	for _, w := range ways {
		w.Faults(decide)
	}
}
