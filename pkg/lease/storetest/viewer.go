package storetest

import (
	"context"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// viewer is a running watch and what it has seen.
type viewer struct {
	b      *bench
	events chan lease.Event
	cancel context.CancelFunc
	ended  chan error
}

// view starts a watch, waits until it stands, and ends it with the test.
func (b *bench) view(store lease.Store, from lease.Version) *viewer {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.ctx)
	v := &viewer{b: b, events: make(chan lease.Event, 1000), cancel: cancel, ended: make(chan error, 1)}
	connected := make(chan struct{})
	go func() {
		defer close(v.ended)
		v.ended <- store.Watch(ctx, from, func() { close(connected) }, func(e lease.Event) { v.events <- e })
	}()
	b.t.Cleanup(func() { _ = v.stop() })
	select {
	case <-connected:
	case err := <-v.ended:
		b.t.Fatalf("watch from %q ended at once: %v", from, err)
	case <-b.ctx.Done():
		b.t.Fatal("watch never stood")
	}
	return v
}

// stop ends the watch and returns why it says that it ended.
func (v *viewer) stop() error {
	v.cancel()
	return <-v.ended
}

func (v *viewer) next() lease.Event {
	v.b.t.Helper()
	select {
	case e := <-v.events:
		return e
	case err := <-v.ended:
		v.b.t.Fatalf("the watch ended: %v", err)
	case <-v.b.ctx.Done():
		v.b.t.Fatal("the watch saw nothing")
	}
	return lease.Event{}
}

// sight is what the suite compares of an event.
type sight struct {
	Version lease.Version
	UID     string
	Holder  string
	Deleted bool
}

func sightOf(e lease.Event) sight {
	return sight{Version: e.Record.Version, UID: e.Record.UID, Holder: e.Record.Holder, Deleted: e.Deleted}
}

// wantNext asserts that the next event is the write that left r.
func (v *viewer) wantNext(r lease.Record) {
	v.b.t.Helper()
	if diff := cmp.Diff(sightOf(lease.Event{Record: r}), sightOf(v.next())); diff != "" {
		v.b.t.Fatalf("event (-want +got):\n%s", diff)
	}
}

// wantDeleted asserts that the next event is the deletion of r, at a version past r's, which it returns.
func (v *viewer) wantDeleted(r lease.Record) lease.Version {
	v.b.t.Helper()
	e := v.next()
	if diff := cmp.Diff(sight{Version: e.Record.Version, UID: r.UID, Holder: r.Holder, Deleted: true}, sightOf(e)); diff != "" {
		v.b.t.Fatalf("event (-want +got):\n%s", diff)
	}
	if e.Record.Version.Compare(r.Version) <= 0 {
		v.b.t.Fatalf("deleted at version %s, which is not past %s", e.Record.Version, r.Version)
	}
	return e.Record.Version
}
