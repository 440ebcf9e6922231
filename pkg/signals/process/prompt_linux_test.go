package process

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// soon runs f, which must return within a second: what it might wait for takes longer.
func soon(t *testing.T, what string, f func()) {
	t.Helper()
	began := time.Now()
	f()
	if took := time.Since(began); took > time.Second {
		t.Errorf("%s took %s; want less than a second", what, took)
	}
}

// A gain that leaves a loss its time holds up nobody: neither State and Close, nor an Apply whose context has ended.
func TestWaitingGainHoldsUpNobody(t *testing.T) {
	name := unique(t)
	a := python(t, name, catchesUsr)
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: usr1, OnLost: usr2})
	r.lose()
	a.says(t, "SIGUSR2")
	r.cfg.Clock = fallenClock{by: 20 * time.Second} // the loss has its time for so long
	lead := r.term("1", r.clock.Now().Add(time.Hour))
	apply := func(ctx context.Context, done chan<- struct{}) { _ = r.Apply(ctx, lead); close(done) }

	ctx, cancel := context.WithCancel(t.Context())
	applied := make(chan struct{})
	go apply(ctx, applied)
	time.Sleep(100 * time.Millisecond) // it waits by now
	soon(t, "State while a gain waits", func() { r.State(false) })
	soon(t, "Apply, once its context has ended,", func() { cancel(); <-applied })

	running, stop := context.WithCancel(t.Context())
	ran := make(chan struct{})
	go func() { defer close(ran); _ = r.Run(running) }() // goes on with that gain
	time.Sleep(100 * time.Millisecond)
	soon(t, "Apply with an ended context while Run has a gain that waits", func() { again := make(chan struct{}); apply(ctx, again) })
	soon(t, "State while Run has a gain that waits", func() { r.State(false) })
	stop()
	<-ran

	applied = make(chan struct{})
	go apply(t.Context(), applied)
	time.Sleep(100 * time.Millisecond)
	soon(t, "Close while a gain waits", func() { r.closed = true; _ = r.Close() })
	<-applied
}

// A look at /proc that takes long holds up nobody either.
func TestPendingLookHoldsUpNobody(t *testing.T) {
	r := newRig(t, Config{Target: Target{Name: unique(t)}, OnElected: usr1, OnLost: usr2})
	looking, release := make(chan struct{}, 100), make(chan struct{})
	r.read = func() (procfs.Table, error) {
		looking <- struct{}{}
		<-release
		return procfs.Read()
	}
	r.looking()
	ctx, cancel := context.WithCancel(t.Context())
	applied := make(chan error, 1)
	go func() { applied <- r.Apply(ctx, r.term("1", r.clock.Now().Add(time.Hour))) }()
	<-looking
	soon(t, "State while a look is pending", func() { r.State(false) })
	soon(t, "Apply, once its context has ended,", func() {
		cancel()
		if err := <-applied; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v; want %v", err, context.Canceled)
		}
	})
	soon(t, "the next Apply with an ended context", func() { _ = r.Apply(ctx, leadership.Leadership{}) })
	close(release)
	r.lose()
}
