package membership

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// TestJoin has a member make its Lease, and write down by which write it has joined.
func TestJoin(t *testing.T) {
	bubble(t, func(f *fleet) {
		f.backend.Advance(40)
		r := f.start("web-0", 1)
		wait(time.Second)
		o := f.stored(r)
		for key, want := range map[string]string{
			naming.LabelMemberOf: election, naming.LabelPod: "web-0", naming.LabelPodUID: "uid-of-web-0", naming.LabelNode: "node-1",
			naming.LabelRevision: "a", naming.LabelHealth: "healthy", naming.LabelPriority: "10", naming.LabelVersion: "v1", naming.LabelElection: "",
		} {
			if got := o.Labels[key]; got != want {
				t.Errorf("label %s is %q, want %q", key, got, want)
			}
		}
		if got := o.Annotations[naming.AnnotationJoined]; got != "41" {
			t.Errorf("joined at %q, want the version of the first write, 41", got)
		}
		if *o.Spec.HolderIdentity != r.identity || *o.Spec.LeaseDurationSeconds != 40 {
			t.Errorf("held by %q for %d s", *o.Spec.HolderIdentity, *o.Spec.LeaseDurationSeconds)
		}
		if sent := r.sent(); sent["create"] != 1 || sent["renew"] != 1 || sent["list"] != 1 || sent["get"] != 0 {
			t.Errorf("sent %v, want a create, a second write and a list", sent)
		}
		wait(10 * time.Minute)
		t.Logf("requests after 10 minutes: %v", r.sent())
		if sent := r.sent(); sent["renew"] < 60 || sent["renew"] > 77 || sent["list"] != 1 || sent["get"] != 0 {
			t.Errorf("sent %v in 10 minutes, want a renewal in 8 to 10 s, and no other request", sent)
		}
	})
}

// TestRestart has a process of the same pod take the Lease over: the object stays, with a new holder.
func TestRestart(t *testing.T) {
	bubble(t, func(f *fleet) {
		first := f.start("web-0", 1)
		wait(time.Second)
		before := f.stored(first)
		first.kill()
		second := f.start("web-0", 2)
		wait(time.Second)
		after := f.stored(second)
		if after.UID != before.UID || *after.Spec.HolderIdentity != second.identity || *after.Spec.LeaseTransitions != 1 {
			t.Errorf("after the restart %s held by %s, transitions %d, want the same object with the new holder",
				after.UID, *after.Spec.HolderIdentity, *after.Spec.LeaseTransitions)
		}
		if joined := lease.Version(after.Annotations[naming.AnnotationJoined]); joined.Compare(lease.Version(before.ResourceVersion)) <= 0 {
			t.Errorf("the new holder joined at %s, the old one's last write was %s", joined, before.ResourceVersion)
		}
		second.kill()
		third := f.start("web-0", 2) // the same identity, as after a restart of the container alone
		wait(time.Second)
		if got := f.stored(third).Annotations[naming.AnnotationJoined]; got != after.Annotations[naming.AnnotationJoined] {
			t.Errorf("the same holder joined at %s, want it kept: %s", got, after.Annotations[naming.AnnotationJoined])
		}
	})
}

// TestLeave has a member say that it leaves, and leave.
func TestLeave(t *testing.T) {
	bubble(t, func(f *fleet) {
		a, b := f.start("web-0", 1), f.start("web-1", 1)
		wait(15 * time.Second)
		f.wantPods(b, "web-0", "web-1")
		a.Leaving()
		wait(time.Second)
		if got := f.stored(a).Labels[naming.LabelHealth]; got != "leaving" {
			t.Errorf("health %q, want leaving", got)
		}
		if identity, why, _ := b.Roster().find("web-0"); identity != "" || why != "that member is leaving" {
			t.Errorf("found %q, %q", identity, why)
		}
		a.SetHealthy(true) // too late
		a.Leave(f.ctx)
		wait(time.Second)
		f.wantPods(b, "web-1")
		o := f.stored(a)
		if *o.Spec.HolderIdentity != "" || o.Labels[naming.LabelHealth] != "leaving" {
			t.Errorf("left as held by %q, health %q", *o.Spec.HolderIdentity, o.Labels[naming.LabelHealth])
		}
		wait(time.Hour)
		if f.stored(a).ResourceVersion != o.ResourceVersion {
			t.Error("a member that has left writes on")
		}
	})
}

// TestLeaveWithoutAnswer does not wait for a store that is silent.
func TestLeaveWithoutAnswer(t *testing.T) {
	bubble(t, func(f *fleet) {
		a := f.start("web-0", 1)
		wait(time.Second)
		a.conn.Blackhole(true)
		wait(15 * time.Second) // a renewal hangs
		began := time.Now()
		a.Leave(f.ctx)
		if took := time.Since(began); took > 2*leaveTimeout {
			t.Errorf("left after %v, want %v at most", took, leaveTimeout)
		}
		wait(10 * time.Second)
	})
}

// TestRepair has a member put right what somebody else does to its Lease, soon, and not faster than once a second.
func TestRepair(t *testing.T) {
	for name, harm := range map[string]func(f *fleet, r *replica){
		"deleted": func(f *fleet, r *replica) { f.backend.Delete(namespace, r.lease) },
		"holder": func(f *fleet, r *replica) {
			f.backend.Edit(namespace, r.lease, func(o *coordinationv1.Lease) { *o.Spec.HolderIdentity = "evil_1" })
		},
		"blanked": func(f *fleet, r *replica) {
			f.backend.Edit(namespace, r.lease, func(o *coordinationv1.Lease) { *o.Spec.HolderIdentity = "" })
		},
		"spec": func(f *fleet, r *replica) {
			f.backend.Edit(namespace, r.lease, func(o *coordinationv1.Lease) { o.Spec = coordinationv1.LeaseSpec{} })
		},
		"label": func(f *fleet, r *replica) {
			f.backend.Edit(namespace, r.lease, func(o *coordinationv1.Lease) { o.Labels[naming.LabelHealth] = "unhealthy" })
		},
		"no labels": func(f *fleet, r *replica) {
			f.backend.Edit(namespace, r.lease, func(o *coordinationv1.Lease) { o.Labels = nil })
		},
		"time far off": func(f *fleet, r *replica) {
			f.backend.Edit(namespace, r.lease, func(o *coordinationv1.Lease) {
				o.Spec.RenewTime.Time = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
				*o.Spec.HolderIdentity = "x"
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(f *fleet) {
				r, other := f.start("web-0", 1), f.start("web-1", 1)
				wait(15 * time.Second)
				for range 20 {
					harm(f, r)
					wait(3 * time.Second)
					o := f.stored(r)
					if o.Spec.HolderIdentity == nil || *o.Spec.HolderIdentity != r.identity || o.Labels[naming.LabelHealth] != "healthy" {
						t.Fatalf("after 3 s: %v, labels %v", o.Spec, o.Labels)
					}
					f.wantPods(other, "web-0", "web-1")
				}
				if sent := r.sent(); sent["renew"]+sent["get"]+sent["create"] > 120 {
					t.Errorf("sent %v in 75 s", sent)
				}
			})
		})
	}
}

// TestSuperseded has a frozen process wake up after another one of its pod has taken the Lease: it keeps away until that one ends.
func TestSuperseded(t *testing.T) {
	bubble(t, func(f *fleet) {
		old := f.start("web-0", 1)
		wait(15 * time.Second)
		old.conn.Blackhole(true) // frozen, as far as others can see
		successor := f.start("web-0", 2)
		wait(5 * time.Second)
		old.conn.Blackhole(false)
		for range 30 {
			wait(10 * time.Second)
			if got := *f.stored(old).Spec.HolderIdentity; got != successor.identity {
				t.Fatalf("held by %s, want the newer process %s to keep it", got, successor.identity)
			}
		}
		if n := *f.stored(old).Spec.LeaseTransitions; n != 1 {
			t.Errorf("the Lease has changed hands %d times, want once", n)
		}
		successor.kill()
		wait(2 * time.Minute)
		if got := *f.stored(old).Spec.HolderIdentity; got != old.identity {
			t.Errorf("held by %s, want the process that is left, %s", got, old.identity)
		}
	})
}

// TestOutage has a member try again at bounded cost, and renew once the store answers.
func TestOutage(t *testing.T) {
	for name, fate := range map[string]memory.Fate{
		"blackhole": {Lost: true}, "refused": {Err: lease.ErrForbidden},
		"applied but not answered": {ReplyLost: true}, "answered wrongly": {Err: lease.ErrConflict, Applied: true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(f *fleet) {
				r := f.start("web-0", 1)
				wait(time.Second)
				r.conn.Faults(func(memory.Verb) memory.Fate { return fate })
				wait(10 * time.Minute)
				n := 0
				for _, sent := range r.sent() {
					n += sent
				}
				if n > 500 {
					t.Errorf("sent %v in 10 minutes without an answer", r.sent())
				}
				r.conn.Faults(nil)
				wait(time.Minute)
				f.wantPods(r, "web-0")
			})
		})
	}
}

// TestLeaveToAnother has a process end that another one of its pod has replaced: the Lease stays with that one.
func TestLeaveToAnother(t *testing.T) {
	bubble(t, func(f *fleet) {
		old := f.start("web-0", 1)
		wait(15 * time.Second)
		successor := f.start("web-0", 2)
		wait(100 * time.Millisecond)
		old.Leave(f.ctx)
		wait(100 * time.Millisecond)
		if got := *f.stored(old).Spec.HolderIdentity; got != successor.identity {
			t.Errorf("held by %q, want the process that replaced it, %s", got, successor.identity)
		}
	})
}

// contested writes to a Lease each time that somebody has read it.
type contested struct {
	lease.Members
	contend func(context.Context, lease.Member)
}

func (c contested) Get(ctx context.Context, name string) (lease.Member, error) {
	m, err := c.Members.Get(ctx, name)
	if err == nil {
		c.contend(ctx, m)
	}
	return m, err
}

// TestContested: a beat whose last request has only read the Lease, as somebody else writes it each time, has not succeeded.
func TestContested(t *testing.T) {
	bubble(t, func(f *fleet) {
		var contends atomic.Bool
		other := f.backend.Members(namespace, election)
		edit := func(ctx context.Context, m lease.Member) {
			if !contends.Load() {
				return
			}
			m.Annotations = merged(m.Annotations, map[string]string{"example.com/at": string(m.Version)})
			if _, err := other.Update(ctx, m); err != nil {
				t.Error(err)
			}
		}
		f.wrap = func(m lease.Members) lease.Members { return contested{m, edit} }
		a := f.start("web-0", 1)
		wait(15 * time.Second)
		contends.Store(true)
		m, err := other.Get(f.ctx, a.lease)
		if err != nil {
			t.Fatal(err)
		}
		edit(f.ctx, m)
		wait(15 * time.Second)
		if a.beat.well() {
			t.Error("a beat that has written nothing counts as a success")
		}
		contends.Store(false)
		wait(15 * time.Second)
		if !a.beat.well() {
			t.Error("the beat does not recover")
		}
	})
}
