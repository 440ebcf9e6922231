//go:build linux

// Package apiserver makes the histories of package histories with sidecars as processes on a real etcd
// and kube-apiserver, which are terminated, killed, frozen and asked to step down, beside workers that read the signal
// directory as apps do. It runs in real time, and so for tens of terms, not thousands.
package apiserver

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
	"github.com/lease-sidecar/lease-sidecar/test/histories"
)

var (
	wanted = flag.Int("terms", 10, "how many terms each run has, at least")
	seed   = flag.Uint64("seed", 1, "the seed of what the runs do to sidecars and workers")
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

const (
	duration = 3 * time.Second
	slack    = 20 * time.Second // room for a slow machine
)

// election is an election of three sidecars with a worker beside each.
type election struct {
	*harness.Election
	replicas []*harness.Sidecar
	history  *histories.History
	register *histories.Register
	rand     *rand.Rand
}

// begin starts everything. It ends with the returned stop, or with the test.
func begin(t *testing.T, register *histories.Register, habits histories.Habits) (e *election, stop func()) {
	t.Helper()
	e = &election{
		Election: harness.NewElection(t, harness.Shared(t), duration),
		history:  histories.NewHistory(bootclock.System{}.Now), register: register,
		rand: rand.New(rand.NewPCG(*seed, 0)),
	}
	e.Flags = []string{"--placement", "classic"} // the workers live on when the sidecar is terminated
	e.Ship(t)
	e.replicas = e.StartAll(t, 3)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	t.Cleanup(stop)
	for i, s := range e.replicas {
		app := e.worker(i, s, habits)
		running.Go(func() { app.Run(ctx) })
	}
	return e, stop
}

// worker makes the worker of a sidecar.
func (e *election) worker(client int, s *harness.Sidecar, habits histories.Habits) *histories.App {
	view := histories.NewView(client, e.history, bootclock.System{}.Now, func() leadership.Leadership {
		l, err := leadership.Read(s.Dir)
		if err != nil {
			return leadership.Leadership{}
		}
		return l
	})
	return &histories.App{
		Client: client, View: view, Register: e.register, History: e.history, Habits: habits,
		Drained: func(leadership.Leadership) { s.Post("/drained") }, Rand: rand.New(rand.NewPCG(e.rand.Uint64(), 0)),
	}
}

// disturb does something to the sidecar that leads, as soon as there is one.
func (e *election) disturb(t *testing.T) {
	t.Helper()
	s := harness.AwaitLeader(t, 3*duration+slack, e.replicas...)
	time.Sleep(time.Duration(e.rand.Int64N(int64(400 * time.Millisecond))))
	switch e.rand.IntN(5) {
	case 0, 1:
		s.Post("/step-down")
	case 2:
		s.Terminate(t)
		e.restart(t, s)
	case 3:
		s.Stop(0)
		e.restart(t, s)
	case 4:
		s.Freeze(t)
		harness.AwaitLeader(t, 3*duration+slack, harness.Others(e.replicas, s)...)
		s.Wake(t)
	}
}

// restart starts the sidecar again, and waits until it runs: before that it has no handler for SIGTERM, and its predecessor's
// document may still show that it leads.
func (e *election) restart(t *testing.T, s *harness.Sidecar) {
	t.Helper()
	s.Start(t, e.Election)
	harness.Eventually(t, slack, s.Pod+" runs again", func() bool { return s.ProbeStatus("/startupz") == http.StatusOK })
}

// disturbUntil goes on until enough has happened.
func (e *election) disturbUntil(t *testing.T, enough func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Duration(*wanted)*duration + 3*time.Minute); !enough(); {
		if time.Now().After(end) {
			t.Fatalf("too little happened: %v", e.history.Tally())
		}
		e.disturb(t)
	}
}

// habits are those of workers that are stopped at times between look and write, for longer than the Lease.
func habits() histories.Habits {
	return histories.Habits{
		Idle: 10 * time.Millisecond, Work: 60 * time.Millisecond, Travel: 10 * time.Millisecond,
		Watch: 4 * time.Millisecond, Read: 180 * time.Millisecond, Freeze: duration, Frozen: 25,
	}
}

// TestGuardedRegister: leadership is exclusive, and no stale write gets through, though some were sent.
func TestGuardedRegister(t *testing.T) {
	t.Parallel()
	h := habits()
	h.Stray, h.Strays = duration/2, 25
	e, stop := begin(t, histories.NewRegister(true), h)
	e.disturbUntil(t, func() bool {
		tally := e.history.Tally()
		return tally.Terms >= *wanted && tally.Refused > 0
	})
	stop()
	history := e.history.Operations()
	flags := fmt.Sprintf("-seed=%d", *seed)
	histories.WantKept(t, histories.Lock, history, flags)
	histories.WantKept(t, histories.Fencing, history, flags)
	t.Log(histories.Count(history))
}

// TestUnguardedRegister: leadership is exclusive all the same, and the register is overwritten by workers that were stopped.
func TestUnguardedRegister(t *testing.T) {
	t.Parallel()
	e, stop := begin(t, histories.NewRegister(false), habits())
	e.disturbUntil(t, func() bool { return e.history.Tally().Terms >= *wanted && e.register.Stale() > 2 })
	stop()
	history := e.history.Operations()
	histories.WantKept(t, histories.Lock, history, fmt.Sprintf("-seed=%d", *seed))
	if histories.Judge(t, histories.Fencing, history) {
		t.Errorf("%d stale writes were accepted, and nothing is found wrong", e.register.Stale())
	}
	t.Logf("%v; %d stale writes accepted", histories.Count(history), e.register.Stale())
}
