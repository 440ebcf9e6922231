//go:build linux

package integration

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

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
		{"watches that end at once", func(r *http.Request) harness.Fate {
			if isWatch(r) {
				return harness.Fate{Status: http.StatusOK, Body: []byte{}}
			}
			return harness.Fate{}
		}},
		{"watches that are too old at once", func(r *http.Request) harness.Fate {
			if isWatch(r) {
				return harness.Fate{Status: http.StatusOK, Body: []byte(expired)}
			}
			return harness.Fate{}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := harness.NewElection(t, harness.Shared(t), 3*time.Second)
			e.Ship(t)
			replicas, ways := startVia(t, e, openWeather(e.Cluster))
			witness := harness.Watch(t, replicas...)
			awaitAgreement(t, e.Duration+slack, replicas)
			var counts tally
			for s, w := range ways {
				w.storm.Faults(func(r *http.Request) harness.Fate {
					counts.add(s.Pod, r)
					return tc.fate(r)
				})
				w.Reset() // standing watches would go on
			}
			time.Sleep(span)
			for _, s := range replicas {
				asked, all := counts.of(s.Pod)
				rate, most := float64(all)/span.Seconds(), failingBudget
				if told, _ := s.Told(); told {
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
			for _, w := range ways {
				w.storm.Faults(nil)
			}
			awaitAgreement(t, e.Duration+slack, replicas)
			witness.Verdict(t)
		})
	}
}

// tally counts requests by replica and kind.
type tally struct {
	mu     sync.Mutex
	counts map[string]map[string]int
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
