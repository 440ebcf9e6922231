//go:build linux

package integration

import (
	"encoding/json"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// slowRead is how long an answer to a read is held back, well within an attempt's timeout at 9 s.
const slowRead = time.Second

// TestOvertakenRead holds a read's answer back until the watch has brought a newer version: the answer is old and no
// more, nobody takes it for a store that was put back in time.
func TestOvertakenRead(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 9*time.Second)
	e.Ship(t)
	replicas, ways := startVia(t, e, openWeather(e.Cluster))
	leader := awaitAgreement(t, e.Duration+slack, replicas)
	same := steady(leader)
	for _, s := range replicas {
		reads := make(chan struct{}, 16)
		ways[s].Faults(func(r *http.Request) harness.Fate {
			switch {
			case isRead(r):
				reads <- struct{}{}
				return harness.Fate{Slow: slowRead}
			case isWatch(r) && r.URL.Query().Get("resourceVersion") != "":
				return harness.Fate{Status: http.StatusGone} // opened afresh, beside one read
			}
			return harness.Fate{}
		})
		awaitRenewal(t, leader)
		ways[s].Reset()
		<-reads
		time.Sleep(slowRead / 4) // the API server has answered, and its answer is held back
		e.Edit(t, func(l *coordinationv1.Lease) { l.Labels["edited"] = s.Pod })
		harness.Throughout(t, 2*slowRead, "the same term over an overtaken read", same)
		if len(linesWith(s, "went back in time")) != 0 {
			t.Errorf("%s took an overtaken read for a restored store", s.Pod)
		}
		ways[s].Faults(nil)
	}
	checkHandoverSeen(t, e, replicas)
}

// TestOvertaken404 holds a read's 404 back until the Lease has been made: whoever knows better does not believe
// it, and in particular does not make the Lease again.
func TestOvertaken404(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 9*time.Second)
	var late atomic.Int64  // the last attempt to make the Lease, on the boot clock
	var stand atomic.Int32 // how many replicas have tried to: their watches stand by now
	reads := make(chan struct{}, 64)
	replicas, _ := startVia(t, e, func(t testing.TB) *harness.Storm {
		storm := e.Cluster.Storm(t)
		var tried atomic.Bool
		storm.Faults(func(r *http.Request) harness.Fate {
			switch {
			case isCreate(r):
				if tried.CompareAndSwap(false, true) {
					stand.Add(1)
				}
				late.Store(int64(now()))
				return harness.Fate{Status: http.StatusServiceUnavailable}
			case isRead(r):
				if stand.Load() == 3 { // a first read of all has nothing to know better by
					reads <- struct{}{}
				}
				return harness.Fate{Slow: slowRead}
			}
			return harness.Fate{}
		})
		return storm
	})
	<-reads
	time.Sleep(slowRead / 4)
	shipped := now()
	e.Ship(t)
	leader := awaitAgreement(t, e.Duration+slack, replicas)
	if waited := sent(e, leader).Sub(shipped); waited < e.Duration {
		t.Errorf("the Lease was taken %v after it was made, want at least %v", waited, e.Duration)
	}
	if tried := bootclock.Instant(late.Load()).Sub(shipped); tried > slowRead/2 {
		t.Errorf("somebody tried to make the Lease %v after it had been made: the 404 was believed", tried)
	}
}

// TestLaggingServer answers one replica's reads with the Lease as it was before its last versions, which the API
// server itself never does. That replica does not lead on such ground, says so, and serves again when it is over.
func TestLaggingServer(t *testing.T) {
	t.Parallel()
	for _, leads := range []bool{false, true} {
		name := map[bool]string{false: "standby", true: "leader"}[leads]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := harness.NewElection(t, harness.Shared(t), 5*time.Second)
			e.Ship(t)
			replicas, ways := startVia(t, e, openWeather(e.Cluster))
			leader := awaitAgreement(t, e.Duration+slack, replicas)
			old := stored(t, e)
			awaitRenewal(t, leader)
			awaitRenewal(t, leader)
			misled := leader
			if !leads {
				misled = harness.Others(replicas, leader)[0]
			}
			same := steady(leader)
			ways[misled].Faults(func(r *http.Request) harness.Fate {
				switch {
				case isRead(r):
					return harness.Fate{Status: http.StatusOK, Body: old}
				case isAny(r):
					return harness.Fate{Status: http.StatusServiceUnavailable}
				}
				return harness.Fate{}
			})
			ways[misled].Reset()
			if !leads {
				harness.Throughout(t, 2*e.Duration, "the term of the leader, which is not concerned", same)
			}
			harness.Eventually(t, 2*e.Duration+slack, "the misled replica says that the store went back in time, and does not lead", func() bool {
				leads, _ := misled.Leads()
				return !leads && len(linesWith(misled, "went back in time")) > 0
			})
			harness.AwaitLeader(t, 2*e.Duration+slack, harness.Others(replicas, misled)...)
			ways[misled].Faults(nil)
			awaitAgreement(t, slack, replicas)
			for _, s := range harness.Others(replicas, misled) {
				s.Terminate(t)
			}
			harness.AwaitLeader(t, 2*e.Duration+slack, misled)
		})
	}
}

// stored is the Lease as the API server gives it now.
func stored(t *testing.T, e *harness.Election) []byte {
	t.Helper()
	l := e.Read(t)
	l.APIVersion, l.Kind = coordinationv1.SchemeGroupVersion.String(), "Lease"
	body, err := json.Marshal(l)
	if err != nil {
		t.Fatalf("write the Lease: %v", err)
	}
	return body
}

// TestOldReadIsReadAgain answers one read of each replica with the Lease as it was several versions ago, as a server does
// that lags behind for a moment, and every later one truly. One such answer is read again before anybody believes that the
// store was restored: the term goes on, and nobody raises an alarm. TestLaggingServer shows what several in a row do.
func TestOldReadIsReadAgain(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 9*time.Second)
	e.ShipFree(t)
	replicas, ways := startVia(t, e, openWeather(e.Cluster))
	leader := awaitAgreement(t, e.Duration+slack, replicas)
	old := stored(t, e)
	awaitRenewal(t, leader)
	awaitRenewal(t, leader)
	same := steady(leader)
	for _, s := range replicas {
		var reads atomic.Int32
		ways[s].Faults(func(r *http.Request) harness.Fate {
			switch {
			case isRead(r) && reads.Add(1) == 1:
				return harness.Fate{Status: http.StatusOK, Body: old}
			case isWatch(r) && r.URL.Query().Get("resourceVersion") != "" && reads.Load() == 0:
				return harness.Fate{Status: http.StatusGone} // opened afresh, beside one read
			}
			return harness.Fate{}
		})
		ways[s].Reset()
		harness.Eventually(t, e.Duration+slack, "the replica reads, and sees the past", func() bool { return reads.Load() > 0 })
		harness.Throughout(t, 2*time.Second, "the same term over one old read", same)
		if n := len(linesWith(s, "went back in time")); n != 0 {
			t.Errorf("%s took one old read for a restored store, %d times", s.Pod, n)
		}
		ways[s].Faults(nil)
	}
	checkHandoverSeen(t, e, replicas)
}
