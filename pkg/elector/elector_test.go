package elector

import (
	"context"
	"errors"
	"slices"
	"sync"
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

func TestFirstInstallTakesOneLeaseDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3, nil)
		time.Sleep(15 * time.Second)
		if l := f.leaders(); l != nil {
			t.Fatalf("%v leads before a lease duration has passed", l)
		}
		m := f.leader(time.Second)
		o := f.backend.Read("default", "acme-1")
		if got := *o.Spec.HolderIdentity; got != string(m.cfg.Identity) {
			t.Errorf("holder = %q, want %q", got, m.cfg.Identity)
		}
		if got := o.Annotations[naming.AnnotationWorkload]; got != "deployment/web" {
			t.Errorf("workload annotation = %q", got)
		}
	})
}

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
		if err := old.StepDown("again"); !errors.Is(err, ErrNotLeading) {
			t.Errorf("StepDown on a standby: %v, want ErrNotLeading", err)
		}
	})
}

func TestEndOfContextReleases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, nil)
		old := f.leader(20 * time.Second)
		old.cancel()
		if err := <-old.ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if next := f.leader(100 * time.Millisecond); next == old {
			t.Error("the one that ended leads on")
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
		cfg := Default()
		cfg.Lease, cfg.Identity = "acme-1", "web-0_a"
		e, err := New(cfg, Deps{Store: backend.Store("default", "acme-1"), Clock: clock, BootID: "boot"})
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
		counts := make([]int, 3)
		var mu sync.Mutex
		for i, m := range f.members {
			m.store.Faults(func(memory.Verb) memory.Fate {
				mu.Lock()
				defer mu.Unlock()
				counts[i]++
				return memory.Fate{}
			})
		}
		time.Sleep(60 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		for i, m := range f.members {
			want := 0
			if m == leader {
				want = 20
			}
			if counts[i] != want {
				t.Errorf("%s sent %d requests in a minute, want %d", m.cfg.Identity, counts[i], want)
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

func TestRestoredStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, nil)
		f.leader(20 * time.Second)
		restore := f.backend.Backup()
		time.Sleep(time.Minute)
		restore()
		time.Sleep(20 * time.Second)
		if l := f.leaders(); l != nil {
			t.Errorf("%v lead on in a restored store, whose tokens would repeat", l)
		}
	})
}

func TestUnhealthyLeaderHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2, nil)
		old := f.leader(20 * time.Second)
		for range 20 { // more than the loop can queue: the newest counts
			old.SetHealthy(true, "well")
			old.SetHealthy(false, "ill")
		}
		synctest.Wait()
		time.Sleep(50 * time.Millisecond)
		next := f.leader(100 * time.Millisecond)
		if next == old {
			t.Fatal("the unhealthy one leads on")
		}
		next.SetHealthy(false, "ill too")
		time.Sleep(2 * time.Minute)
		if l := f.leaders(); l != nil {
			t.Errorf("%v leads though nobody is healthy", l)
		}
		old.SetHealthy(true, "well again")
		f.leader(100 * time.Millisecond)
	})
}

func TestNewRefuses(t *testing.T) {
	good := Default()
	good.Lease, good.Identity = "acme-1", "web-0_a"
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
