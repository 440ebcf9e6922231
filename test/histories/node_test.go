package histories_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/stopwait"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
	"github.com/lease-sidecar/lease-sidecar/test/histories"
)

// node is a machine with a pod on it: a sidecar, which is the real elector and the real waiter for its stop, and an app, which
// share a document. Only the fleet's own goroutine calls its methods.
type node struct {
	fleet *fleet
	index int
	clock nodeClock
	line  *line
	rand  *rand.Rand
	lives int

	document atomic.Pointer[leadership.Leadership]
	sidecar  atomic.Pointer[sidecar] // nil: none was started, or it was killed
	told     *histories.Told
	killApp  context.CancelFunc // nil: none runs
	app      sync.WaitGroup
}

// sidecar is one process of it.
type sidecar struct {
	*elector.Elector
	waiter *stopwait.Waiter
	store  *memory.Store
	end    context.CancelFunc
	ended  chan struct{}
	dead   atomic.Bool // killed: whatever still goes on in it is neither heard nor seen
}

func (n *node) startSidecar() {
	n.lives++
	told := n.told
	s := &sidecar{store: n.fleet.backend.Store("default", "acme-1"), ended: make(chan struct{})}
	clock := stallingClock{n.clock, n.line.thawed}
	s.store.Faults(func(q memory.Request) memory.Fate {
		if s.dead.Load() {
			return memory.Fate{Lost: true}
		}
		return n.line.fate(q)
	})
	s.store.LagWatches(n.fleet.watchLag)
	s.waiter = stopwait.New(stopwait.Config{
		Clock: clock, Log: slog.New(slog.DiscardHandler), StopTimeout: 30 * time.Second,
		Applied: func(context.Context) error { return nil }, // a document is told at once
	})
	cfg := n.fleet.config
	cfg.Identity = naming.Identity(fmt.Sprintf("web-%d_%d", n.index, n.lives))
	random := rand.New(rand.NewPCG(n.rand.Uint64(), 0))
	var err error
	s.Elector, err = elector.New(cfg, elector.Deps{
		Store: s.store, Clock: clock, BootID: "boot", Rand: random.Float64,
	})
	if err != nil {
		panic(err) // a mistake of this test's own
	}
	to := elector.Outputs{StopWait: s.waiter.Wait, Publish: func(l leadership.Leadership) {
		n.line.thawed()
		s.waiter.Observe(l)
		if s.dead.Load() {
			return
		}
		// Looked at before and after, so that the history has the instant of the change.
		told.Look()
		n.document.Store(&l)
		told.Look()
	}}
	var ctx context.Context
	ctx, s.end = context.WithCancel(context.Background())
	n.fleet.running.Go(func() {
		defer close(s.ended)
		_ = s.Run(ctx, to) // a collision is not among the faults
	})
	n.sidecar.Store(s)
}

// terminate tells the sidecar to end in good order.
func (n *node) terminate() {
	if s := n.sidecar.Load(); s != nil {
		s.end()
	}
}

// runs reports whether both processes run, or are about to end in good order.
func (n *node) runs() bool {
	s := n.sidecar.Load()
	if s == nil || n.killApp == nil {
		return false
	}
	select {
	case <-s.ended:
		return false
	default:
		return true
	}
}

// leads reports whether the node is told so.
func (n *node) leads() bool {
	l := n.document.Load()
	return l != nil && l.At(n.clock.Now()).IsLeader
}

// stepDown asks the sidecar to hand over, as soon as it is not frozen.
func (n *node) stepDown() {
	if s := n.sidecar.Load(); s != nil {
		n.fleet.running.Go(func() { _ = s.StepDown("the test") }) // who does not lead has nothing to hand over
	}
}

// killSidecar ends the process at once. Its document stays, and requests that it has sent still arrive.
func (n *node) killSidecar() {
	if s := n.sidecar.Swap(nil); s != nil {
		s.dead.Store(true)
		s.store.StallWatches(true)
		s.end()
		s.Abandon()
	}
}

func (n *node) startApp() {
	f := n.fleet
	n.document.Store(&leadership.Leadership{})
	n.told = histories.NewTold(n.index, f.history, n.clock, func() leadership.Leadership {
		return n.document.Load().At(n.clock.Now())
	})
	app := &histories.App{
		Client: n.index, Told: n.told, Register: f.register, History: f.history, Habits: f.habits,
		Drained: n.drained, Rand: rand.New(rand.NewPCG(n.rand.Uint64(), 0)), Travels: &f.running,
	}
	var ctx context.Context
	ctx, n.killApp = context.WithCancel(context.Background())
	n.app.Go(func() { app.Run(ctx) })
	told := n.told
	n.app.Go(func() { told.Watch(ctx, look) })
}

// drained is the app's word that it has stopped, to the sidecar that runs now.
func (n *node) drained(l leadership.Leadership) {
	if s := n.sidecar.Load(); s != nil {
		_ = s.waiter.Drained(l, "") // refused where the drain is over already
	}
}

// kill takes the whole node: both processes, and all that the pod was told.
func (n *node) kill() {
	n.killSidecar()
	if n.killApp != nil {
		n.killApp()
		n.app.Wait()
		n.told.Close()
		n.killApp = nil
	}
}

// start runs what is not running.
func (n *node) start() {
	if n.killApp == nil {
		n.startApp()
	}
	if !n.runs() {
		n.startSidecar()
	}
}
