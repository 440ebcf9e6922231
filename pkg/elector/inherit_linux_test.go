package elector

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// crash ends a candidate as SIGKILL does: what it still writes reaches nobody. Its stop-waiter must hang, as nobody stops the workload.
func (m *member) crash(t *testing.T, hold *Hold) {
	t.Helper()
	m.store.Blackhole(true)
	if err := hold.Close(); err != nil {
		t.Fatal(err)
	}
	m.cancel()
	synctest.Wait() // only a handover that has begun can be abandoned
	m.Abandon()
	<-m.ended
}

// restart ends a leader as SIGKILL does, and returns the hold that it left, locked anew, with its end.
func restart(t *testing.T, f *fleet, dir string) (*Hold, bootclock.Instant) {
	t.Helper()
	hold := openHold(t, dir)
	hold.bootID = "boot"
	old := f.join("web-0_a", func(_ *Config, d *parts) { d.Hold, d.StopWait = hold, hangs })
	until := f.leader(20 * time.Second).Leadership().ValidUntil
	left, ok := hold.Load(old.cfg.HoldKey(), f.clock.Now(), until)
	if !ok || !left.Leading {
		t.Fatalf("the leader's hold: %+v, %v", left, ok)
	}
	old.crash(t, hold)
	f.members = nil
	next := openHold(t, dir)
	next.bootID = "boot"
	return next, until
}

// TestNothingInheritedIsPublishedBeforeARead is I14: a process that finds a running term in its hold, and cannot read the Lease,
// tells nobody anything until that term has run out.
func TestNothingInheritedIsPublishedBeforeARead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 0, nil)
		hold, until := restart(t, f, t.TempDir())
		m := f.join("web-0_a", func(_ *Config, d *parts) {
			d.Hold = hold
			d.Store.(*memory.Store).Blackhole(true)
		})
		for f.clock.Now().Before(until - 1) {
			if published := m.published(); len(published) > 0 || m.Leadership().IsLeader {
				t.Fatalf("%v before the end of the inherited term it publishes %+v, and answers %+v", until.Sub(f.clock.Now()), published, m.Leadership())
			}
			time.Sleep(min(100*time.Millisecond, until.Sub(f.clock.Now())-1))
		}
		time.Sleep(2 * time.Nanosecond)
		synctest.Wait()
		if published := m.published(); len(published) != 1 || published[0].IsLeader {
			t.Errorf("at the end of the inherited term it publishes %+v, want once that it does not lead", published)
		}
	})
}

// TestHoldOfNoUseIsWrittenOver: a process that goes by another identity says "not leading"; the next one, of the old
// identity, must not lead on as if that had not been said.
func TestHoldOfNoUseIsWrittenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 0, nil)
		dir := t.TempDir()
		hold, until := restart(t, f, dir)
		m := f.join("web-0_fresh", func(_ *Config, d *parts) { d.Hold = hold })
		synctest.Wait()
		if published := m.published(); len(published) == 0 || published[0].IsLeader {
			t.Fatalf("it publishes %+v, want that it does not lead", published)
		}
		old := m.cfg.HoldKey()
		old.Identity = "web-0_a"
		if s, ok := hold.Load(old, f.clock.Now(), until); ok && s.Leading {
			t.Errorf("the hold of the process before is believed still: %+v", s)
		}
	})
}

// TestNoReleaseBeforeTheHold is I15: while the hold on disk says that this pod leads, and cannot be written, the Lease is
// kept; a restarted process would believe it.
func TestNoReleaseBeforeTheHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 0, nil)
		hold := openHold(t, t.TempDir())
		hold.bootID = "boot"
		old := f.join("web-0_a", func(_ *Config, d *parts) { d.Hold = hold })
		f.leader(20 * time.Second)
		f.add("web-1_b", nil)
		time.Sleep(5 * time.Second)
		until := old.Leadership().ValidUntil
		if err := hold.Close(); err != nil { // every write fails from now on
			t.Fatal(err)
		}
		if err := old.StepDown("test"); err != nil {
			t.Fatal(err)
		}
		for f.clock.Now().Before(until) {
			if o := f.backend.Read("default", "acme-1"); naming.Identity(*o.Spec.HolderIdentity) != "web-0_a" {
				t.Fatalf("released %v before the hold on disk runs out", until.Sub(f.clock.Now()))
			}
			time.Sleep(50 * time.Millisecond)
		}
		if next := f.leader(time.Second); next == old {
			t.Error("it leads again")
		}
	})
}
