package histories_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
	"github.com/lease-sidecar/lease-sidecar/test/histories"
)

// look is how exactly the end of a term is known that no sidecar told of, as it was dead or frozen.
const look = 25 * time.Millisecond

// run says what one simulated history is to be like.
type run struct {
	seed    uint64
	terms   int     // end once there were so many
	guarded bool    // the register compares tokens
	delayed bool    // apps freeze between look and write, and writes stray
	rate    float64 // of every other node's boot clock; 0: like the others', 1 % off at most
}

// outcome is what came of it.
type outcome struct {
	operations []histories.Operation
	stale      int // writes that the register took though their token was low
}

// fleet is a bubble with a store, some nodes that campaign for one Lease, and a reader of what their apps write.
type fleet struct {
	run
	rand     *rand.Rand
	config   elector.Config
	habits   histories.Habits
	watchLag time.Duration
	backend  *memory.Backend
	history  *histories.History
	register *histories.Register
	nodes    []*node
	running  sync.WaitGroup // sidecars to their end, and what apps have sent
}

// play runs one history to its end.
func (r run) play(t *testing.T) outcome {
	t.Helper()
	var o outcome
	synctest.Test(t, func(*testing.T) {
		f := r.fleet()
		defer f.backend.Close()
		ctx, cancel := context.WithCancel(context.Background())
		var reader sync.WaitGroup
		reader.Go(func() { f.read(ctx) })
		for _, n := range f.nodes {
			n.start()
		}
		f.suffer()
		f.end()
		cancel()
		reader.Wait()
		o = outcome{f.history.Operations(), f.register.Stale()}
	})
	return o
}

func (r run) fleet() *fleet {
	f := &fleet{run: r, rand: rand.New(rand.NewPCG(r.seed, 0)), backend: memory.New()}
	duration := []time.Duration{3 * time.Second, 5 * time.Second, 15 * time.Second}[f.rand.IntN(3)]
	f.config = elector.Config{
		Lease: "acme-1", Namespace: "default", Workload: "deployment/web",
		Duration: duration, ForeignGrace: 18 * time.Second, Priority: elector.MaxPriority,
	}.WithDefaults()
	f.watchLag = time.Millisecond + f.upTo(7*time.Millisecond)
	f.habits = f.habitsFor(r.delayed)
	began := time.Now()
	f.history = histories.NewHistory(func() bootclock.Instant { return bootclock.Instant(time.Since(began)) + 1 })
	f.register = histories.NewRegister(r.guarded)
	for i := range 3 + f.rand.IntN(3) {
		clock := nodeClock{began: began, rate: 0.99 + 0.02*f.rand.Float64(), skew: bootclock.Instant(f.upTo(time.Hour))}
		if i%2 == 0 && r.rate != 0 {
			clock.rate = r.rate
		}
		f.nodes = append(f.nodes, &node{
			fleet: f, index: i, clock: clock, rand: rand.New(rand.NewPCG(f.rand.Uint64(), 0)),
			line: &line{rand: rand.New(rand.NewPCG(f.rand.Uint64(), 0)), longest: duration},
		})
	}
	return f
}

// habitsFor returns the apps' habits. An app that is not delayed has its writes done well within the kill margin, even
// those that it began in the last instant of its validity.
func (f *fleet) habitsFor(delayed bool) histories.Habits {
	h := histories.Habits{
		Idle: 20 * time.Millisecond, Work: f.config.Duration / 8, Travel: f.config.KillMargin() / 3,
	}
	if delayed {
		h.Freeze, h.Frozen = f.config.Duration, 25
		h.Stray, h.Strays = f.config.Duration/2, 25
	}
	return h
}

// read reads the register until ctx ends, as a client of its own.
func (f *fleet) read(ctx context.Context) {
	random := rand.New(rand.NewPCG(f.seed, 1))
	travel := func() time.Duration { return time.Duration(random.Float64() * float64(10*time.Millisecond)) }
	for ctx.Err() == nil {
		histories.Reading(len(f.nodes), f.register, f.history, travel)
		select {
		case <-time.After(f.config.Duration / 5):
		case <-ctx.Done():
		}
	}
}

// suffer has faults happen until there were enough terms.
func (f *fleet) suffer() {
	for f.history.Tally().Terms < f.terms {
		time.Sleep(f.upTo(f.config.Duration / 2))
		f.fault()
	}
}

// end mends everything, gives the fleet time to settle, and ends all of it in good order.
func (f *fleet) end() {
	time.Sleep(3 * f.config.Duration) // no fault lasts longer
	f.mend()
	for _, n := range f.nodes {
		n.start()
	}
	time.Sleep(3 * f.config.Duration)
	for _, n := range f.nodes {
		n.terminate()
	}
	f.running.Wait()
	for _, n := range f.nodes {
		n.kill()
	}
}

func (f *fleet) upTo(d time.Duration) time.Duration {
	return time.Duration(f.rand.Float64() * float64(d))
}
