//go:build linux

package integration

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// everySecond is a fate for every second request of each kind, so that no regular order of reads and writes has all
// of one kind fail.
func everySecond(fate harness.Fate) func(*http.Request) harness.Fate {
	var mu sync.Mutex
	seen := map[bool]int{}
	return func(r *http.Request) harness.Fate {
		mu.Lock()
		defer mu.Unlock()
		kind := isWrite(r)
		if seen[kind]++; seen[kind]%2 == 1 {
			return fate
		}
		return harness.Fate{}
	}
}

// TestStormIsBridged lets the API server fail, for half of the requests for long or for all of them for less than
// the renew deadline: the same replica leads on with the same token. What Retry-After asks for is longer than a term
// lasts.
func TestStormIsBridged(t *testing.T) {
	t.Parallel()
	throttled := harness.Fate{Status: http.StatusTooManyRequests, RetryAfter: 30 * time.Second}
	for _, tc := range []struct {
		name  string
		meets func(harness.Fate) func(*http.Request) harness.Fate // which requests do
		fate  harness.Fate
		span  time.Duration
	}{
		{"half 429", everySecond, throttled, 12 * time.Second},
		{"half 500", everySecond, harness.Fate{Status: http.StatusInternalServerError}, 12 * time.Second},
		{"all 429", every, throttled, 4 * time.Second},
		{"all 503", every, harness.Fate{Status: http.StatusServiceUnavailable}, 4 * time.Second},
		{"all without an answer", every, harness.Fate{Late: time.Hour}, 4 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := harness.NewElection(t, harness.Shared(t), 12*time.Second) // a machine that is busy must not end a term
			e.Ship(t)
			replicas, storms := startVia(t, e, e.Cluster.Storm)
			leader := awaitAgreement(t, e.Duration+slack, replicas)
			awaitRenewal(t, leader)
			same := steady(leader)
			for _, s := range storms {
				s.Faults(tc.meets(tc.fate))
			}
			harness.Throughout(t, tc.span, "the same term in the storm", same)
			faultAll(storms, nil)
			harness.Throughout(t, e.RenewDeadline(), "the same term after the storm", same)
		})
	}
}

// TestStormOutlastsTheTerm lets the API server fail for longer than a term lasts: the leader stops by its
// validUntil, nobody leads, and all go on by themselves once the storm is over.
func TestStormOutlastsTheTerm(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		fate harness.Fate
	}{
		{"429", harness.Fate{Status: http.StatusTooManyRequests, RetryAfter: 30 * time.Second}},
		{"503", harness.Fate{Status: http.StatusServiceUnavailable}},
		{"without an answer", harness.Fate{Late: time.Hour}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := harness.NewElection(t, harness.Shared(t), 4*time.Second)
			e.Ship(t)
			since := time.Now()
			replicas, storms := startVia(t, e, e.Cluster.Storm)
			leader := awaitAgreement(t, e.Duration+slack, replicas)
			awaitRenewal(t, leader)
			faultAll(storms, every(tc.fate))
			checkLossByDeadline(t, leader, now().Add(2*e.Duration))
			for _, s := range replicas {
				if leads, _ := s.Leads(); leads || !s.Alive() {
					t.Errorf("%s, with the API server away: leads %v, lives %v, want no and yes", s.Pod, leads, s.Alive())
				}
				if status := s.ProbeStatus("/livez"); status != http.StatusOK {
					t.Errorf("%s, with the API server away: GET /livez gives %d, want %d", s.Pod, status, http.StatusOK)
				}
			}
			faultAll(storms, nil)
			awaitAgreement(t, e.Duration+slack, replicas)
			checkNoTakeBeforeExpiry(t, e, since)
		})
	}
}

// TestRightsLostForAMoment takes the Role's rules away for less than a term lasts, until the leader was refused a renewal and a
// read, as an API server refuses both while it starts. The term goes on, and all are ready again.
func TestRightsLostForAMoment(t *testing.T) {
	t.Parallel()
	e, replicas, leader := elect(t, harness.Shared(t), 9*time.Second, 3)
	awaitRenewal(t, leader)
	same := steady(leader)
	e.Access.SetRules(t)
	harness.Eventually(t, e.RenewDeadline()/2, "the leader is refused a renewal and a read, and is not ready", func() bool {
		_, reason := leader.AskProbe("/readyz")
		return strings.Contains(reason, "to update") && strings.Contains(reason, "to get")
	})
	e.Access.SetRules(t, harness.DocumentedRules(e.Lease)...)
	harness.Throughout(t, 2*e.RenewDeadline(), "the same term over a moment without rights", same)
	for _, s := range replicas {
		if status, reason := s.AskProbe("/readyz"); status != http.StatusOK {
			t.Errorf("%s after it: GET /readyz gives %d, want %d: %s", s.Pod, status, http.StatusOK, reason)
		}
	}
}

// failingBudget is the most that one replica may ask of an API server that fails, in requests a second, besides the
// renewals of a term.
const failingBudget = 1.5

// TestFailingAPIKeepsTheBudget counts at the storm what three replicas at the shortest lease duration ask in a minute
// of an API server that fails at everything, or at one kind of requests only: one in trouble must not be asked more
// and more. Where reads go well, writes that are refused must still become rare; where a watch opens well and ends at
// once, so must watches.
func TestFailingAPIKeepsTheBudget(t *testing.T) {
	t.Parallel()
	const span = time.Minute
	for _, tc := range []struct {
		name string
		fate func(*http.Request) harness.Fate
	}{
		{"everything refused", every(harness.Fate{Status: http.StatusServiceUnavailable})},
		{"writes refused", refused(isWrite, http.StatusServiceUnavailable)},
		{"watches that end at once", meet(isWatch, harness.Fate{Status: http.StatusOK, Body: []byte{}})},
		{"watches that are too old at once", meet(isWatch, harness.Fate{Status: http.StatusOK, Body: []byte(expired)})},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := harness.NewElection(t, harness.Shared(t), 3*time.Second)
			e.Ship(t)
			replicas, ways := startVia(t, e, openWeather(e.Cluster))
			awaitAgreement(t, e.Duration+slack, replicas)
			var counts tally
			for s, w := range ways {
				w.Faults(counts.counting(s.Pod, tc.fate))
				w.Reset() // standing watches would go on
			}
			time.Sleep(span)
			for _, s := range replicas {
				asked, all := counts.of(s.Pod)
				rate, most := float64(all)/span.Seconds(), failingBudget
				if leads, _ := s.Leads(); leads {
					most++ // a renewal a second
				}
				t.Logf("%s: %.2f requests a second: %v", s.Pod, rate, asked)
				if rate > most {
					t.Errorf("%s makes %.2f requests a second, want at most %.2f: %v", s.Pod, rate, most, asked)
				}
				if all == 0 {
					t.Errorf("%s has asked for nothing in %v: it will not know when the API server works again", s.Pod, span)
				}
			}
			faultAll(ways, nil)
			awaitAgreement(t, e.Duration+slack, replicas)
		})
	}
}

// tally counts requests by replica and kind.
type tally struct {
	mu     sync.Mutex
	counts map[string]map[string]int
}

// counting counts a replica's requests before they meet their fate.
func (c *tally) counting(pod string, fate func(*http.Request) harness.Fate) func(*http.Request) harness.Fate {
	return func(r *http.Request) harness.Fate {
		c.add(pod, r)
		return fate(r)
	}
}

func (c *tally) add(pod string, r *http.Request) {
	kind := r.Method
	if isWatch(r) {
		kind = "watch"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[string]map[string]int{}
	}
	if c.counts[pod] == nil {
		c.counts[pod] = map[string]int{}
	}
	c.counts[pod][kind]++
}

// of returns a replica's requests by kind, and all of them.
func (c *tally) of(pod string) (map[string]int, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all, kinds := 0, map[string]int{}
	for kind, n := range c.counts[pod] {
		kinds[kind] = n
		all += n
	}
	return kinds, all
}
