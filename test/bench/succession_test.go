//go:build linux

package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestSuccession times handovers of fleets of several sizes: to a successor that the release names, and to whoever draws the
// shortest wait. Both take turns. The candidates are electors in this process, each with connections of its own.
func TestSuccession(t *testing.T) {
	cluster := harness.Start(t)
	for _, size := range []int{3, 10, 50, 200} {
		named, drawn := newFleet(t, cluster, size), newFleet(t, cluster, size)
		for range *handovers {
			drawn.handOver(t, false)
			named.handOver(t, true)
		}
		for name, f := range map[string]*fleet{"named": named, "drawn": drawn} {
			t.Logf("%3d candidates, %s: %d handovers: p50 %s, p99 %s; lost races: %d; the named one led %d times", size, name, len(f.took),
				harness.Rank(f.took, .5).Round(100*time.Microsecond), harness.Rank(f.took, .99).Round(100*time.Microsecond), f.lost.Load(), f.followed)
			f.end()
		}
	}
}

// fleet is the candidates of one election.
type fleet struct {
	electors   []*elector.Elector
	identities []string
	leads      chan int     // who has begun to lead
	lost       atomic.Int64 // takes that were refused, as another one was quicker
	leader     int
	took       []time.Duration
	followed   int
	end        func()
}

func newFleet(t *testing.T, cluster *harness.Cluster, size int) *fleet {
	t.Helper()
	return newFleetIn(t, cluster.Namespace(t, nil), "bench", size, func(int) *rest.Config { return cluster.AdminConfig() })
}

// newFleetIn starts a fleet whose candidates reach the API server each by a configuration of its own.
func newFleetIn(t *testing.T, namespace, name string, size int, config func(candidate int) *rest.Config) *fleet {
	t.Helper()
	f := &fleet{leads: make(chan int, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	f.end = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(f.end)
	for i := range size {
		identity := fmt.Sprintf("web-%d_00000000-0000-4000-8000-%012d", i, i)
		client, err := kube.NewClient(config(i), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		cfg := elector.Default()
		cfg.Duration, cfg.RenewDeadline, cfg.RenewInterval = 6*time.Second, 0, 0
		cfg = cfg.WithDefaults()
		cfg.Namespace, cfg.Lease, cfg.Identity = namespace, name, naming.Identity(identity)
		e, err := elector.New(cfg, elector.Deps{Store: client.Lease(namespace, name)})
		if err != nil {
			t.Fatal(err)
		}
		f.electors, f.identities = append(f.electors, e), append(f.identities, identity)
		led := false
		publish := func(l leadership.Leadership) {
			if l.IsLeader && !led {
				f.leads <- i
			}
			led = l.IsLeader
		}
		running.Go(func() {
			if err := e.Run(ctx, elector.Outputs{Publish: publish, Observer: races{&f.lost}}); err != nil {
				t.Errorf("%s: %v", identity, err)
			}
		})
	}
	select {
	case f.leader = <-f.leads:
	case <-time.After(time.Minute):
		t.Fatal("nobody leads")
	}
	f.lost.Store(0)
	return f
}

// handOver has the leader step down, and waits until another one leads.
func (f *fleet) handOver(t *testing.T, named bool) {
	t.Helper()
	time.Sleep(100 * time.Millisecond) // all have seen the leader's record
	old := f.electors[f.leader]
	next := (f.leader + 1) % len(f.electors)
	if named {
		old.Prefer(elector.Preference{Successor: f.identities[next]})
	}
	begin := time.Now()
	if err := old.StepDown("the benchmark"); err != nil {
		t.Fatal(err)
	}
	select {
	case f.leader = <-f.leads:
	case <-time.After(30 * time.Second):
		t.Fatal("nobody leads")
	}
	f.took = append(f.took, time.Since(begin))
	if f.leader == next {
		f.followed++
	}
}

// races counts the takes that lost a race.
type races struct{ lost *atomic.Int64 }

func (r races) Requested(verb string, _ time.Duration, err error) {
	if verb == "update" && errors.Is(err, lease.ErrConflict) {
		r.lost.Add(1)
	}
}

func (races) DrainAbandoned() {}
