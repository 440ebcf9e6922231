//go:build linux

package apiserver

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
	"github.com/lease-sidecar/lease-sidecar/test/histories"
)

const (
	duration = 3 * time.Second
	look     = 4 * time.Millisecond
	slack    = 20 * time.Second // room for a slow machine
)

// fleet is an election of three sidecars, a worker beside each, and a reader of what the workers write.
type fleet struct {
	election *harness.Election
	replicas []*harness.Sidecar
	history  *histories.History
	register *histories.Register
	rand     *rand.Rand
	running  sync.WaitGroup
}

// newFleet starts everything; it ends with the returned stop, or with the test.
func newFleet(t *testing.T, register *histories.Register, habits histories.Habits) (f *fleet, stop func()) {
	t.Helper()
	f = &fleet{
		election: harness.NewElection(t, harness.Shared(t), duration),
		history:  histories.NewHistory(bootclock.System{}.Now), register: register,
		rand: rand.New(rand.NewPCG(*seed, 0)),
	}
	f.election.Flags = []string{"--placement", "classic"} // the workers live on as the sidecar is terminated
	f.election.Ship(t)
	f.replicas = f.election.StartAll(t, 3)
	ctx, cancel := context.WithCancel(context.Background())
	stop = sync.OnceFunc(func() {
		cancel()
		f.running.Wait()
	})
	t.Cleanup(stop)
	for i, s := range f.replicas {
		f.work(ctx, i, s, habits)
	}
	f.running.Go(func() { f.read(ctx, habits) })
	return f, stop
}

// work runs the worker of a sidecar, and has what it is told watched.
func (f *fleet) work(ctx context.Context, client int, s *harness.Sidecar, habits histories.Habits) {
	told := histories.NewTold(client, f.history, bootclock.System{}, func() leadership.Leadership {
		l, err := leadership.Read(s.Dir)
		if err != nil {
			return leadership.Leadership{}
		}
		return l
	})
	app := &histories.App{
		Client: client, Told: told, Register: f.register, History: f.history, Habits: habits,
		Drained: func(leadership.Leadership) { s.Post("/drained") },
		Rand:    rand.New(rand.NewPCG(f.rand.Uint64(), 0)), Travels: &f.running,
	}
	f.running.Go(func() { app.Run(ctx) })
	f.running.Go(func() { told.Watch(ctx, look) })
}

// read reads the register until ctx ends, as a client of its own.
func (f *fleet) read(ctx context.Context, habits histories.Habits) {
	for ctx.Err() == nil {
		histories.Reading(len(f.replicas), f.register, f.history, func() time.Duration { return habits.Travel / 4 })
		time.Sleep(habits.Work)
	}
}

// disturb does something to the sidecar that leads, as soon as there is one.
func (f *fleet) disturb(t *testing.T) {
	t.Helper()
	s := harness.AwaitLeader(t, 3*duration+slack, f.replicas...)
	time.Sleep(time.Duration(f.rand.Int64N(int64(400 * time.Millisecond))))
	switch f.rand.IntN(5) {
	case 0, 1:
		s.Post("/step-down")
	case 2:
		s.Terminate(t)
		s.Start(t, f.election)
	case 3:
		s.Stop(0)
		s.Start(t, f.election)
	case 4:
		s.Freeze(t)
		harness.AwaitLeader(t, 3*duration+slack, harness.Others(f.replicas, s)...)
		s.Wake(t)
	}
}
