package membership

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
)

func sweeps(c *Config) { c.Sweep = true }

// TestSweep deletes what expired or left longer ago than the TTL, and nothing else, by the leader alone.
func TestSweep(t *testing.T) {
	bubble(t, func(f *fleet) {
		leader, standby := f.start("web-0", 1, sweeps), f.start("web-1", 1, sweeps)
		off := f.start("web-2", 1)
		leader.lead(true)
		killed, left := f.start("web-3", 1), f.start("web-4", 1)
		wait(15 * time.Second)
		killed.kill()
		left.Leave(f.ctx)
		wait(59 * time.Minute)
		f.stored(killed)
		f.stored(left)
		wait(3 * time.Minute)
		for _, r := range []*replica{killed, left} {
			if f.backend.Read(namespace, r.lease) != nil {
				t.Errorf("%s is still there", r.identity)
			}
		}
		if leader.sent()["sweep"] != 2 || standby.sent()["sweep"] != 0 || off.sent()["sweep"] != 0 {
			t.Errorf("swept %d, by the standby %d", leader.sent()["sweep"], standby.sent()["sweep"])
		}
		wait(3 * time.Hour)
		f.wantPods(leader, "web-0", "web-1", "web-2")
		if n := leader.sent()["sweep"]; n != 2 {
			t.Errorf("swept %d times, want twice", n)
		}
		again := f.start("web-3", 2) // a swept member may come back
		wait(time.Second)
		f.stored(again)
	})
}

// TestSweepIsGentle deletes at most 30 Leases a minute.
func TestSweepIsGentle(t *testing.T) {
	bubble(t, func(f *fleet) {
		var gone []*replica
		for i := range 100 {
			gone = append(gone, f.start("old-"+string(rune('a'+i/10))+string(rune('0'+i%10)), 1))
		}
		wait(time.Second)
		leader := f.start("web-0", 1, sweeps)
		wait(15 * time.Second)
		for _, r := range gone {
			r.kill()
		}
		wait(time.Hour + time.Minute)
		leader.lead(true)
		for range 10 {
			before := leader.sent()["sweep"]
			wait(time.Minute)
			if n := leader.sent()["sweep"] - before; n > 31 {
				t.Errorf("%d deletions in a minute, want 30 at most", n)
			}
		}
		if got := leader.Roster().Counts(); got != (Counts{Live: 1}) {
			t.Errorf("counts %+v, want all swept", got)
		}
	})
}

// guarded refuses the deletion of one Lease, as a policy of the cluster may.
type guarded struct {
	lease.Members
	name string
}

func (g guarded) Delete(ctx context.Context, m lease.Member) error {
	if m.Name == g.name {
		return lease.ErrForbidden
	}
	return g.Members.Delete(ctx, m)
}

// TestSweepGoesOn deletes the other Leases where one cannot be deleted, and tries that one again now and then.
func TestSweepGoesOn(t *testing.T) {
	bubble(t, func(f *fleet) {
		kept, swept := f.start("web-1", 1), f.start("web-2", 1)
		f.wrap = func(m lease.Members) lease.Members { return guarded{m, kept.lease} }
		leader := f.start("web-0", 1, sweeps)
		leader.lead(true)
		wait(15 * time.Second)
		kept.kill()
		wait(time.Minute)
		swept.kill()
		wait(time.Hour + 30*time.Minute)
		f.stored(kept)
		if f.backend.Read(namespace, swept.lease) != nil {
			t.Error("a Lease that cannot be deleted holds up the others")
		}
		if n := leader.sent()["sweep"]; n < 4 || n > 10 {
			t.Errorf("%d deletions in half an hour, want one in 5 minutes", n)
		}
	})
}

// TestSweepSparesTheReturning races the sweep with a member that comes back in the same instant, 1,000 times: the requests meet
// in every order. Either the member's write comes first, and the deletion fails, or the deletion, and the member is made anew.
// In no case is a member without its Lease.
func TestSweepSparesTheReturning(t *testing.T) {
	spared, swept := 0, 0
	for i := range 1000 {
		bubble(t, func(f *fleet) {
			leader := f.start("web-0", 1, sweeps, func(c *Config) { c.TTL = time.Minute })
			old := f.start("web-1", 1)
			wait(15 * time.Second)
			old.kill()
			leader.lead(true)
			before := f.stored(old)
			// The deletion travels for 5 ms; the member's first write arrives from 3 ms before to 3 ms after it.
			deleted, arrives := make(chan time.Time, 1), time.Duration(2+i%7)*time.Millisecond
			leader.conn.Faults(func(v memory.Verb) memory.Fate {
				if v == memory.Delete {
					select {
					case deleted <- time.Now():
					default:
					}
					return memory.Fate{Delay: 5 * time.Millisecond}
				}
				return memory.Fate{}
			})
			<-deleted
			// The restarted process: its POST meets the Lease, it reads it, and its PUT takes it over.
			back := f.restarted(arrives)
			wait(2 * time.Second)
			after := f.stored(back)
			if *after.Spec.HolderIdentity != back.identity {
				t.Fatalf("race %d: held by %q", i, *after.Spec.HolderIdentity)
			}
			if after.UID == before.UID {
				spared++
			} else {
				swept++
			}
			wait(15 * time.Second)
			f.wantPods(leader, "web-0", "web-1")
			if sent := leader.sent(); sent["sweep"] != 1 {
				t.Fatalf("race %d: swept %d times", i, sent["sweep"])
			}
		})
	}
	t.Logf("the member's write came first %d times, the deletion %d times", spared, swept)
	if spared < 100 || swept < 100 {
		t.Errorf("the race went one way: spared %d, swept %d", spared, swept)
	}
}

// restarted starts web-1 again, with requests that travel so long that its PUT arrives after that time.
func (f *fleet) restarted(arrives time.Duration) *replica {
	time.Sleep(arrives)
	synctest.Wait()
	return f.start("web-1", 2)
}
