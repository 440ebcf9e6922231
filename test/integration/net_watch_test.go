//go:build linux

package integration

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// weather is a replica's way through a line that can break and a storm that can lie.
type weather struct {
	*harness.Proxy
	storm *harness.Storm
}

// Faults sets what becomes of the replica's requests.
func (w weather) Faults(decide func(*http.Request) harness.Fate) { w.storm.Faults(decide) }

func openWeather(c *harness.Cluster) func(testing.TB) weather {
	return func(t testing.TB) weather {
		storm := c.Storm(t)
		return weather{storm.Proxy(t), storm}
	}
}

// expired is the event by which a watch learns that its version is too old.
const expired = `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410,"message":"too old resource version"}}`

// TestDeadWatch breaks the watches of all three replicas, and keeps them from being of use in every way that a network
// or a server knows. Nobody's leadership moves; a replica reads the Lease once for each time that it has cause to suspect
// its watch; and once the watch works again, a handover is seen at once.
func TestDeadWatch(t *testing.T) {
	t.Parallel()
	const span = 10 * time.Second // three suspicions: two renew intervals and a second are 3 s
	resumed := func(r *http.Request) bool { return isWatch(r) && r.URL.Query().Get("resourceVersion") != "" }
	for _, tc := range []struct {
		name string
		act  func(t *testing.T, w weather)
		// least and most reads by a standby in the span; the leader may need two more, as its renewals meet the fault too.
		least, most int
	}{
		// The idle connection is dead too: where the new watch is sent into it, silence must show it once more.
		{"half open", func(_ *testing.T, w weather) { w.HalfOpen() }, 1, 2},
		{"reset", func(_ *testing.T, w weather) { w.Reset() }, 0, 0},
		{"stalled", func(t *testing.T, w weather) {
			stall(t, w, span)
			w.Reset()
		}, 2, 4},
		{"lagging", func(t *testing.T, w weather) {
			stall(t, w, 2*time.Second)
			w.Reset()
		}, 0, 1},
		{"410", func(_ *testing.T, w weather) {
			w.Faults(refused(resumed, http.StatusGone))
			w.Reset()
		}, 1, 1},
		{"an event of 410", func(_ *testing.T, w weather) {
			w.Faults(meet(resumed, harness.Fate{Status: http.StatusOK, Body: []byte(expired)}))
			w.Reset()
		}, 1, 1},
		{"refused", func(_ *testing.T, w weather) {
			w.Faults(refused(isWatch, http.StatusServiceUnavailable))
			w.Reset()
		}, 0, 5}, // without any news a standby reads the Lease, tries to take it, is refused, and reads it: once a lease duration
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			// A term that a busy machine does not end, with the renewals of one that is short.
			e := harness.NewElection(t, harness.Shared(t), 12*time.Second)
			e.Flags = []string{"--renew-interval", "1s"}
			e.Ship(t) // whose first election takes a lease duration: every watch stands by then
			replicas, ways := startVia(t, e, openWeather(e.Cluster))
			leader := awaitAgreement(t, e.Duration+slack, replicas)
			awaitRenewal(t, leader)
			since := time.Now()
			for _, w := range ways {
				tc.act(t, w)
			}
			harness.Throughout(t, span, "the same term while the watches are dead", steady(leader))
			for _, s := range replicas {
				reads, most := len(asked(t, e, s, since, "get")), tc.most
				if s == leader {
					most += 2
				}
				if reads > most || (s != leader && reads < tc.least) {
					t.Errorf("%s read the Lease %d times in %v, want %d to %d", s.Pod, reads, span, tc.least, most)
				}
				if len(linesWith(s, "went back in time")) != 0 {
					t.Errorf("%s took the fault for a restored store", s.Pod)
				}
			}
			for _, w := range ways {
				w.Faults(nil)
				w.Heal()
			}
			checkHandoverSeen(t, e, replicas)
		})
	}
}

// stall holds back what each watch brings until the given time after its opening.
func stall(t *testing.T, w weather, d time.Duration) {
	t.Helper()
	var timers sync.WaitGroup
	t.Cleanup(timers.Wait)
	w.Faults(func(r *http.Request) harness.Fate {
		if !isWatch(r) {
			return harness.Fate{}
		}
		until := make(chan struct{})
		timers.Go(func() {
			select {
			case <-time.After(d):
			case <-r.Context().Done():
			}
			close(until)
		})
		return harness.Fate{Stall: until}
	})
}

// checkHandoverSeen waits until every watch must have been opened anew, and shows by a handover that they work.
func checkHandoverSeen(t *testing.T, e *harness.Election, replicas []*harness.Sidecar) {
	t.Helper()
	const opened = 4 * time.Second // by a suspicion, or the longest pause after failures
	leader := awaitAgreement(t, slack, replicas)
	harness.Throughout(t, opened, "the same term after the fault", steady(leader))
	_, before := leader.Leads()
	began := now()
	stepDown(t, replicas)
	if heir, taken := nextTerm(t, e, before, harness.Others(replicas, leader)); taken.Sub(began) > e.Duration*4/5 {
		t.Errorf("%s took the released Lease after %v, want at once: its watch should live", heir.Pod, taken.Sub(began))
	}
}
