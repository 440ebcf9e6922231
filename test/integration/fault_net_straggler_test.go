//go:build linux

package integration

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

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
