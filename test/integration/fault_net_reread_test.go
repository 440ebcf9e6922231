//go:build linux

package integration

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestOldReadIsReadAgain answers one read of each replica with the Lease as it was several versions ago, as a server does
// that lags behind for a moment, and every later one truly. One such answer is read again before anybody believes that the
// store was restored: the term goes on, and nobody raises an alarm. TestLaggingServer shows what several in a row do.
func TestOldReadIsReadAgain(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 9*time.Second)
	e.ShipFree(t)
	replicas, ways := startVia(t, e, openWeather(e.Cluster))
	witness := harness.Watch(t, replicas...)
	leader := awaitAgreement(t, e.Duration+slack, replicas)
	old := stored(t, e)
	awaitRenewal(t, leader)
	awaitRenewal(t, leader)
	same := steady(leader)
	for _, s := range replicas {
		var reads atomic.Int32
		ways[s].storm.Faults(func(r *http.Request) harness.Fate {
			switch {
			case isRead(r) && reads.Add(1) == 1:
				return harness.Fate{Status: http.StatusOK, Body: old}
			case isWatch(r) && r.URL.Query().Get("resourceVersion") != "" && reads.Load() == 0:
				return harness.Fate{Status: http.StatusGone} // opened afresh, beside one read
			}
			return harness.Fate{}
		})
		ways[s].Reset()
		harness.Eventually(t, e.Duration+slack, "the replica reads, and is told of the past", func() bool { return reads.Load() > 0 })
		harness.Throughout(t, 2*time.Second, "the same term over one old read", same)
		if n := len(linesWith(s, "went back in time")); n != 0 {
			t.Errorf("%s took one old read for a restored store, %d times", s.Pod, n)
		}
		ways[s].storm.Faults(nil)
	}
	checkHandoverSeen(t, e, replicas)
	witness.Verdict(t)
}
