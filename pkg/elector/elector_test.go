package elector

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock/clocktest"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

func TestHandoverTakesMilliseconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stopped := make(chan struct{})
		f := newFleet(t, 3, func(ctx context.Context, _ Drain) Outcome {
			select {
			case <-stopped:
			case <-ctx.Done():
			}
			return WorkloadStopped
		})
		old := f.leader(20 * time.Second)
		token := lease.Version(old.Leadership().Token)
		if err := old.StepDown("test"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second) // three renew deadlines: the Lease is kept while the workload stops
		if l := f.leaders(); l != nil {
			t.Fatalf("%v leads before the workload has stopped", l)
		}
		close(stopped)
		next := f.leader(100 * time.Millisecond)
		if next == old {
			t.Error("the one that stepped down leads again")
		}
		if got := lease.Version(next.Leadership().Token); got.Compare(token) <= 0 {
			t.Errorf("token %s after %s", got, token)
		}
	})
}

func TestPartitionedLeaderStopsBeforeAnotherStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3, nil)
		old := f.leader(20 * time.Second)
		old.store.Blackhole(true)
		cut := time.Now()
		for old.Leadership().IsLeader {
			time.Sleep(time.Millisecond)
		}
		if d := time.Since(cut); d > old.cfg.RenewDeadline {
			t.Errorf("led for %v after it was cut off, want at most %v", d, old.cfg.RenewDeadline)
		}
		stopped := time.Now()
		next := f.leader(20 * time.Second)
		if d := time.Since(stopped); d < old.cfg.KillMargin() {
			t.Errorf("the next leads %v after the last stopped, want at least the kill margin %v", d, old.cfg.KillMargin())
		}
		if d := time.Since(cut); d > old.cfg.Duration+200*time.Millisecond {
			t.Errorf("the takeover took %v", d)
		}
		old.store.Blackhole(false)
		time.Sleep(time.Minute)
		if l := f.leaders(); !slices.Equal(l, []string{next.cfg.Identity.Name()}) {
			t.Errorf("after the heal %v lead, want %s alone", l, next.cfg.Identity.Name())
		}
	})
}

// TestStuckLoopNeverSaysLeader: the answer is computed from the clock, so a loop that hangs in Publish cannot keep
// a term alive.
func TestStuckLoopNeverSaysLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		backend := memory.New()
		clock := clocktest.Bubble{}
		e, err := New(configured("web-0_a"), Deps{Store: backend.Store("default", "acme-1"), Clock: clock, BootID: "boot"})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() {
			ended <- e.Run(ctx, Outputs{Publish: func(l leadership.Leadership) {
				if l.IsLeader {
					<-stuck
				}
			}})
		}()
		time.Sleep(16 * time.Second)
		l := e.Leadership()
		if !l.IsLeader {
			t.Fatal("it does not lead")
		}
		time.Sleep(l.ValidUntil.Sub(clock.Now()) - time.Nanosecond)
		if !e.Leadership().IsLeader {
			t.Error("the term ended too early")
		}
		time.Sleep(time.Nanosecond)
		if got := e.Leadership(); got.IsLeader || got.Token != "" {
			t.Errorf("leads with token %q at validUntil", got.Token)
		}
		alive, give := context.WithTimeout(ctx, 5*time.Second)
		defer give()
		if err := e.Alive(alive); !errors.Is(err, ErrNotRunning) {
			t.Errorf("Alive of a stuck loop: %v, want ErrNotRunning", err)
		}
		close(stuck)
		cancel()
		<-ended
	})
}

func TestStandbysAskNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3, nil)
		leader := f.leader(20 * time.Second)
		time.Sleep(10 * time.Second)
		meters := make([]meter, 3)
		for i, m := range f.members {
			m.store.Faults(meters[i].through(forbid()))
		}
		time.Sleep(60 * time.Second)
		for i, m := range f.members {
			want := 0
			if m == leader {
				want = 20
			}
			if got := meters[i].take(); got != want {
				t.Errorf("%s sent %d requests in a minute, want %d", m.cfg.Identity, got, want)
			}
		}
	})
}

func TestCollisionEndsTheElection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, nil)
		f.leader(20 * time.Second)
		f.backend.Edit("default", "acme-1", func(o *coordinationv1.Lease) { o.Annotations[naming.AnnotationWorkload] = "deployment/other" })
		for _, m := range f.members {
			var collision *CollisionError
			if err := <-m.ended; !errors.As(err, &collision) || collision.Other != "deployment/other" {
				t.Errorf("Run: %v, want a collision with deployment/other", err)
			}
			if m.Leadership().IsLeader {
				t.Error("it leads on")
			}
		}
	})
}

func TestNewRefuses(t *testing.T) {
	good := configured("web-0_a")
	if _, err := New(good, Deps{}); err == nil {
		t.Error("New without a Store: want an error")
	}
	if _, err := New(Config{}, Deps{}); err == nil {
		t.Error("New without a configuration: want an error")
	}
	e, err := New(good, Deps{Store: memory.New().Store("default", "acme-1"), BootID: "boot"})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Run(t.Context(), Outputs{}); err == nil {
		t.Error("Run without Publish: want an error")
	}
}
