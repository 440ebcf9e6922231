package storetest

import (
	"context"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// patience bounds every wait of the suite: only a hang reaches it.
const patience = 30 * time.Second

// Fixture is a store for one case: empty of the Leases that the case will use.
type Fixture struct {
	// Name is the Lease of the case; Name + "-other" must be free too. Fixtures that share a store differ in it.
	Name string
	// Open returns a new Store on the Lease of that name. It shares only the medium with others, as in another process.
	Open func(t *testing.T, name string) lease.Store
	// Admin acts on the Leases past the Store.
	Admin Admin
	// History says that a watch delivers every single change. A store without one may skip to the newest state.
	History bool
	// DropsPreferredHolder says that the store never keeps spec.preferredHolder: an API server without the feature gate
	// CoordinatedLeaderElection.
	DropsPreferredHolder bool
}

// Admin does by hand what an administrator may do. Each method fails the test where it cannot.
type Admin interface {
	// Read returns the Lease as it is stored, or nil where there is none.
	Read(t *testing.T, name string) *coordinationv1.Lease
	// Edit changes the Lease, whatever its version.
	Edit(t *testing.T, name string, edit func(*coordinationv1.Lease))
	// Delete removes the Lease.
	Delete(t *testing.T, name string)
}

// bench is one case's view of its fixture.
type bench struct {
	Fixture
	t     *testing.T
	ctx   context.Context //nolint:containedctx // the test's own
	store lease.Store
}

func newBench(t *testing.T, f Fixture) *bench {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return &bench{Fixture: f, t: t, ctx: ctx, store: f.Open(t, f.Name)}
}

// must returns what a store has answered; it takes no error.
func (b *bench) must(r lease.Record, err error) lease.Record {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func (b *bench) create(r lease.Record) lease.Record {
	b.t.Helper()
	return b.must(b.store.Create(b.ctx, r))
}

func (b *bench) update(r lease.Record) lease.Record {
	b.t.Helper()
	return b.must(b.store.Update(b.ctx, r))
}

func (b *bench) get() lease.Record {
	b.t.Helper()
	return b.must(b.store.Get(b.ctx))
}

func (b *bench) delete() { b.t.Helper(); b.Admin.Delete(b.t, b.Name) }

func (b *bench) edit(edit func(*coordinationv1.Lease)) {
	b.t.Helper()
	b.Admin.Edit(b.t, b.Name, edit)
}

// held returns r as a holder writes it with a renew time of its own.
func held(r lease.Record, holder string, renewTime time.Time) lease.Record {
	r.Holder, r.DurationSeconds = holder, 15
	r.AcquireTime, r.RenewTime = renewTime, renewTime
	r.Transitions = r.NextTransitions()
	r.Mark = lease.HeldMark(holder, 15*time.Second)
	r.Workload = "deployment/web"
	return r
}

// instant is a wall-clock time with microseconds that a coarser store would lose.
var instant = time.Date(2026, 11, 22, 10, 0, 0, 123456000, time.UTC)
