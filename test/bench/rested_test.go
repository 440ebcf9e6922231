//go:build linux

package bench

import (
	"context"
	"flag"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

const (
	// restedFleets is how many elections TestRestedHandover has, each with restedSize candidates.
	restedFleets, restedSize = 16, 3
	// serverPatience is how long the API server keeps a connection that nobody uses.
	serverPatience = 90 * time.Second
)

var rested = flag.Duration("rest", 0, "how long the standbys of TestRestedHandover rest; 0: 100s, with -short 2s")

// TestRestedHandover times handovers to standbys that have had nothing to ask for so long that the API server has closed the connection
// for their writes, so that the take dials; and, beside them, to standbys that have led a moment ago. The release names the next leader,
// so no turn is waited for.
func TestRestedHandover(t *testing.T) {
	cluster := harness.Start(t)
	span := sized(*rested, 100*time.Second, 2*time.Second)
	var fleets []*fleet
	var dials [restedFleets][restedSize]atomic.Int64
	for i := range restedFleets {
		fleets = append(fleets, newRestedFleet(t, cluster, &dials[i]))
	}
	time.Sleep(span)
	took, dialed := map[string][]time.Duration{}, map[string]int64{}
	for i, f := range fleets {
		for _, kind := range []string{"rested", "rested", "awake", "awake"} { // in their order: the first leader is the third to take over
			next := (f.leader + 1) % restedSize
			before := dials[i][next].Load()
			f.handOver(t, true)
			took[kind] = append(took[kind], f.took[len(f.took)-1])
			dialed[kind] += dials[i][next].Load() - before
			if f.leader != next {
				t.Errorf("candidate %d leads, want the named one, %d", f.leader, next)
			}
		}
	}
	for kind, all := range took {
		record(t, result.Series{
			Figure: "handover/" + kind, Subject: result.Sidecar, Unit: "ms", Values: milliseconds(all),
			Note: fmt.Sprintf("%d connections were made for %d handovers, after %s of rest", dialed[kind], len(all), span),
		})
	}
	if dialed["awake"] != 0 {
		t.Errorf("%d connections were made for standbys that had led a moment ago, want none", dialed["awake"])
	}
	if span < serverPatience/2 && dialed["rested"] != 0 {
		t.Errorf("%d connections were made for standbys that had just started, want none: their first read's are open", dialed["rested"])
	}
	if want := int64(len(took["rested"])); span > serverPatience && dialed["rested"] < want {
		t.Errorf("%d connections were made for %d standbys that had rested for %s: their connections were open", dialed["rested"], want, span)
	}
}

// newRestedFleet starts a fleet whose candidates authenticate as a pod does, and counts their connections.
func newRestedFleet(t *testing.T, cluster *harness.Cluster, dials *[restedSize]atomic.Int64) *fleet {
	t.Helper()
	e := harness.NewElection(t, cluster, leaseDuration)
	e.ShipFree(t)
	return newFleetIn(t, e.Namespace, e.Lease, restedSize, func(candidate int) *rest.Config {
		config := e.Access.Config()
		config.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			dials[candidate].Add(1)
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}
		return config
	})
}
