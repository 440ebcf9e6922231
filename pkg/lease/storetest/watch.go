package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

func watchEachChange(b *bench) {
	v := b.view(b.Open(b.t, b.Name), b.seed())
	for range 2 {
		r := b.create(lease.Record{})
		v.wantNext(r)
		for i := range 3 {
			r = b.update(held(r, "a_1", instant.Add(time.Duration(i)*time.Second)))
			v.wantNext(r)
		}
		b.delete()
		gone := v.wantDeleted(r)
		again := b.create(lease.Record{})
		if again.Version.Compare(gone) <= 0 {
			b.t.Errorf("created again at version %s, not past its deletion at %s", again.Version, gone)
		}
		v.wantNext(again)
		b.delete()
		v.wantDeleted(again)
	}
}

// seed makes and removes a Lease, and returns the version of its deletion, to watch from while the Lease is absent.
func (b *bench) seed() lease.Version {
	b.t.Helper()
	r := b.create(lease.Record{})
	v := b.view(b.store, r.Version)
	defer func() { _ = v.stop() }()
	b.delete()
	return v.wantDeleted(r)
}

func watchFromNone(b *bench) {
	r := b.update(held(b.create(lease.Record{}), "a_1", instant))
	v := b.view(b.Open(b.t, b.Name), "")
	v.wantNext(r)
	v.wantNext(b.update(held(r, "b_2", instant)))
}

func watchFromNoneAbsent(b *bench) {
	v := b.view(b.Open(b.t, b.Name), "")
	v.wantNext(b.create(lease.Record{}))
}

// watchBurst changes the Lease faster than a watch may look: every event must be a written state, in order, the newest last.
func watchBurst(b *bench) {
	r := b.create(lease.Record{})
	v := b.view(b.Open(b.t, b.Name), r.Version)
	var written []sight
	for i := range 20 {
		r = b.update(held(r, "a_1", instant.Add(time.Duration(i)*time.Second)))
		written = append(written, sightOf(lease.Event{Record: r}))
	}
	var seen []sight
	for len(seen) == 0 || seen[len(seen)-1].Version != r.Version {
		seen = append(seen, sightOf(v.next()))
	}
	if !b.History {
		written = only(written, seen)
	}
	if diff := cmp.Diff(written, seen); diff != "" {
		b.t.Errorf("seen (-want +got):\n%s", diff)
	}
}

// only returns those of all that are in some, in the order of all.
func only(all, some []sight) []sight {
	in := map[sight]bool{}
	for _, s := range some {
		in[s] = true
	}
	var out []sight
	for _, s := range all {
		if in[s] {
			out = append(out, s)
		}
	}
	return out
}

// watchRecreated opens a watch after the Lease was deleted and made again: it must show the deletion, then the new Lease.
func watchRecreated(b *bench) {
	old := b.update(held(b.create(lease.Record{}), "a_1", instant))
	b.delete()
	now := b.create(lease.Record{})
	v := b.view(b.Open(b.t, b.Name), old.Version)
	v.wantDeleted(old)
	v.wantNext(now)
}

func watchAnotherLease(b *bench) {
	v := b.view(b.Open(b.t, b.Name), b.seed())
	other := b.Open(b.t, b.Name+"-other")
	made := b.must(other.Create(b.ctx, lease.Record{}))
	b.must(other.Update(b.ctx, held(made, "b_2", instant)))
	b.Admin.Delete(b.t, b.Name+"-other")
	v.wantNext(b.create(lease.Record{})) // and nothing before it
}

func watchEdit(b *bench) {
	r := b.update(held(b.create(lease.Record{}), "a_1", instant))
	v := b.view(b.Open(b.t, b.Name), r.Version)
	usurper := "admin"
	b.edit(func(o *coordinationv1.Lease) { o.Spec.HolderIdentity = &usurper })
	e := v.next()
	want := sight{Version: e.Record.Version, UID: r.UID, Holder: "admin"}
	if diff := cmp.Diff(want, sightOf(e)); diff != "" {
		b.t.Errorf("event (-want +got):\n%s", diff)
	}
	if e.Record.Version.Compare(r.Version) <= 0 {
		b.t.Errorf("the edit has version %s, which is not past %s", e.Record.Version, r.Version)
	}
	_, err := b.store.Update(b.ctx, held(r, "a_1", instant.Add(time.Second)))
	b.wantError(err, lease.ErrConflict)
	if got := b.get(); got.Version != e.Record.Version || !got.Foreign() {
		b.t.Errorf("after the edit the Lease reads %+v", got)
	}
}

func watchEnds(b *bench) {
	r := b.create(lease.Record{})
	v := b.view(b.Open(b.t, b.Name), r.Version)
	if err := v.stop(); !errors.Is(err, context.Canceled) {
		b.t.Errorf("watch ended with %v, want %v", err, context.Canceled)
	}
	b.update(held(r, "a_1", instant))
	select {
	case e := <-v.events:
		b.t.Errorf("delivered after its end: %+v", e)
	default:
	}
}

func watchMany(b *bench) {
	r := b.create(lease.Record{})
	store := b.Open(b.t, b.Name)
	var viewers []*viewer
	for range 5 {
		viewers = append(viewers, b.view(store, r.Version))
	}
	next := b.update(held(r, "a_1", instant))
	for _, v := range viewers {
		v.wantNext(next)
	}
	b.delete()
	for _, v := range viewers {
		v.wantDeleted(next)
	}
}
