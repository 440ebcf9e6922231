package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// sameContent compares what a writer chooses; the store chooses UID and version.
var sameContent = []cmp.Option{
	cmpopts.IgnoreUnexported(lease.Record{}),
	cmpopts.IgnoreFields(lease.Record{}, "UID", "Version"),
	cmpopts.EquateApproxTime(0),
}

func (b *bench) wantContent(got, want lease.Record) {
	b.t.Helper()
	if diff := cmp.Diff(want, got, sameContent...); diff != "" {
		b.t.Errorf("record (-want +got):\n%s", diff)
	}
}

func (b *bench) wantError(err error, wants ...error) {
	b.t.Helper()
	for _, want := range wants {
		if errors.Is(err, want) {
			return
		}
	}
	b.t.Fatalf("error %v, want one of %v", err, wants)
}

// wantAbsent asserts that nothing brought the Lease back.
func (b *bench) wantAbsent() {
	b.t.Helper()
	if o := b.Admin.Read(b.t, b.Name); o != nil {
		b.t.Fatalf("the Lease is there: %v", o)
	}
	_, err := b.store.Get(b.ctx)
	b.wantError(err, lease.ErrNotFound)
}

func getAbsent(b *bench) { b.wantAbsent() }

func createStores(b *bench) {
	want := lease.Record{Workload: "deployment/web"}
	made := b.create(want)
	if made.UID == "" || made.Version == "" {
		b.t.Errorf("created with UID %q, version %q", made.UID, made.Version)
	}
	b.wantContent(made, want)
	got := b.get()
	b.wantContent(got, want)
	if got.UID != made.UID || got.Version != made.Version {
		b.t.Errorf("read back as %s of %s, created as %s of %s", got.Version, got.UID, made.Version, made.UID)
	}
}

func createExists(b *bench) {
	first := b.create(lease.Record{Workload: "deployment/web"})
	_, err := b.Open(b.t, b.Name).Create(b.ctx, held(first, "b_2", instant))
	b.wantError(err, lease.ErrExists)
	if got := b.get(); got.Version != first.Version || got.Holder != "" {
		b.t.Errorf("the second create changed the Lease: %+v", got)
	}
}

func createEndedContext(b *bench) {
	ended, cancel := context.WithCancel(b.ctx)
	cancel()
	if _, err := b.store.Create(ended, lease.Record{}); !errors.Is(err, context.Canceled) {
		b.t.Errorf("create with an ended context: error %v, want %v", err, context.Canceled)
	}
	b.wantAbsent()
}

func updateStores(b *bench) {
	r := b.create(lease.Record{})
	for i := range 5 {
		want := held(r, "a_1", instant.Add(time.Duration(i)*time.Second))
		updated := b.update(want)
		b.wantContent(updated, want)
		got := b.get()
		b.wantContent(got, want)
		if got.UID != r.UID || updated.UID != r.UID || got.Version != updated.Version {
			b.t.Errorf("read as %s of %s, updated to %s of %s, of %s before", got.Version, got.UID, updated.Version, updated.UID, r.UID)
		}
		r = updated
	}
}

func updateStale(b *bench) {
	first := b.create(lease.Record{})
	second := b.update(held(first, "a_1", instant))
	_, err := b.Open(b.t, b.Name).Update(b.ctx, held(first, "b_2", instant.Add(time.Second)))
	b.wantError(err, lease.ErrConflict)
	if got := b.get(); got.Version != second.Version || got.Holder != "a_1" {
		b.t.Errorf("the stale update changed the Lease: %+v", got)
	}
}

func updateWrongUID(b *bench) {
	old := b.create(lease.Record{})
	b.delete()
	now := b.create(lease.Record{})
	if now.UID == old.UID {
		b.t.Errorf("created again under the UID of the deleted Lease, %s", old.UID)
	}
	forged := held(now, "b_2", instant)
	forged.UID = old.UID
	_, err := b.store.Update(b.ctx, forged)
	b.wantError(err, lease.ErrConflict, lease.ErrNotFound)
	if got := b.get(); got.Version != now.Version || got.UID != now.UID || got.Holder != "" {
		b.t.Errorf("the update for another object changed the Lease: %+v", got)
	}
}

func updateNeverRead(b *bench) {
	made := b.create(lease.Record{})
	for name, r := range map[string]lease.Record{
		"no UID":     {Version: made.Version, Holder: "b_2"},
		"no version": {UID: made.UID, Holder: "b_2"},
		"neither":    {Holder: "b_2"},
	} {
		if _, err := b.store.Update(b.ctx, r); err == nil {
			b.t.Errorf("update with %s succeeded", name)
		}
	}
	if got := b.get(); got.Version != made.Version {
		b.t.Errorf("an unconditional update changed the Lease: %+v", got)
	}
}

func updateDeleted(b *bench) {
	r := b.update(held(b.create(lease.Record{}), "a_1", instant))
	b.delete()
	_, err := b.store.Update(b.ctx, held(r, "a_1", instant.Add(time.Second)))
	b.wantError(err, lease.ErrConflict, lease.ErrNotFound)
	b.wantAbsent()
}

func updateIdentical(b *bench) {
	first := b.update(held(b.create(lease.Record{}), "a_1", instant))
	again := b.update(first)
	b.wantContent(again, first)
	if again.Version.Compare(first.Version) < 0 {
		b.t.Errorf("version fell from %s to %s", first.Version, again.Version)
	}
	b.update(held(again, "a_1", instant.Add(time.Second)))
}
