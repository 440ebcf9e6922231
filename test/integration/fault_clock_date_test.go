//go:build linux

package integration

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestServersWithOtherClocks puts two API servers whose wall clocks are 5 s apart behind a balancer that sends two
// requests to the one and two to the other: what their answers' Date headers say ends no term, as each renewal that succeeds proves
// more.
func TestServersWithOtherClocks(t *testing.T) {
	t.Parallel()
	const span = 25 * time.Second
	e := harness.NewElection(t, harness.Shared(t), 9*time.Second)
	e.ShipFree(t)
	replicas, _ := startVia(t, e, func(t testing.TB) *harness.Storm {
		storm := e.Cluster.Storm(t)
		var mu sync.Mutex
		asked := 0
		storm.Faults(func(r *http.Request) harness.Fate {
			mu.Lock()
			defer mu.Unlock()
			if isWatch(r) {
				return harness.Fate{}
			}
			if asked++; asked/2%2 == 0 {
				return harness.Fate{Date: 5 * time.Second}
			}
			return harness.Fate{}
		})
		return storm
	})
	harness.AwaitLeader(t, e.Duration+slack, replicas...)
	witness := harness.Watch(t, replicas...)
	from := now()
	time.Sleep(span)
	witness.Stop()
	var led time.Duration
	terms := witness.Terms("state")
	for _, term := range terms {
		led += term.To.Sub(term.From)
	}
	share := led.Seconds() / now().Sub(from).Seconds()
	t.Logf("figure: somebody led for %.0f %% of the time, in %d terms", 100*share, len(terms))
	if share < 0.97 || len(terms) != 1 {
		t.Errorf("somebody led for %.0f %% of the time in %d terms, want one term all the time", 100*share, len(terms))
	}
	witness.Verdict(t)
}
