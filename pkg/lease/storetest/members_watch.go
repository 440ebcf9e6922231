package storetest

import (
	"context"
	"errors"
	"maps"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// watch starts a watch, waits until it stands, and ends it with the test.
func (c *circle) watch(members lease.Members, from lease.Version) (events chan lease.MemberEvent, stop func() error) {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.ctx)
	events, connected, ended := make(chan lease.MemberEvent, 1000), make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(ended)
		ended <- members.Watch(ctx, from, func() { close(connected) }, func(e lease.MemberEvent) {
			if e.Member.Name != "" {
				events <- e
			}
		})
	}()
	stop = func() error { cancel(); return <-ended }
	c.t.Cleanup(func() { _ = stop() })
	select {
	case <-connected:
	case err := <-ended:
		c.t.Fatalf("watch from %q ended at once: %v", from, err)
	}
	return events, stop
}

// memberSight is what the suite compares of an event.
type memberSight struct {
	Name    string
	Version lease.Version
	Deleted bool
}

func (c *circle) next(events chan lease.MemberEvent) memberSight {
	c.t.Helper()
	select {
	case e := <-events:
		return memberSight{e.Member.Name, e.Member.Version, e.Deleted}
	case <-c.ctx.Done():
		c.t.Fatal("the watch saw nothing")
		return memberSight{}
	}
}

// wantNext waits for an event that says so of the member; a store without a history may skip what came before it.
func (c *circle) wantNext(events chan lease.MemberEvent, want memberSight) {
	c.t.Helper()
	got := c.next(events)
	for !c.History && got.Name == want.Name && got.Version.Compare(want.Version) < 0 {
		got = c.next(events)
	}
	if got != want {
		c.t.Fatalf("event %+v, want %+v", got, want)
	}
}

func membersWatched(c *circle) {
	a := c.create("web-0")
	_, from := c.list()
	events, _ := c.watch(c.Open(c.t, c.Election), from)
	for range 3 {
		a = c.renew(a)
		c.wantNext(events, memberSight{a.Name, a.Version, false})
	}
	b := c.create("web-1")
	c.wantNext(events, memberSight{b.Name, b.Version, false})
	if err := c.members.Delete(c.ctx, a); err != nil {
		c.t.Fatal(err)
	}
	if got := c.next(events); got.Name != a.Name || !got.Deleted || got.Version.Compare(b.Version) <= 0 {
		c.t.Errorf("event %+v, want the deletion of %s past %s", got, a.Name, b.Version)
	}
	late, _ := c.watch(c.Open(c.t, c.Election), from)
	seen := map[memberSight]bool{}
	for !seen[memberSight{b.Name, b.Version, false}] {
		seen[c.next(late)] = true
	}
}

func membersUnlabelled(c *circle) {
	a := c.create("web-0")
	_, from := c.list()
	events, _ := c.watch(c.members, from)
	c.Admin.Edit(c.t, a.Name, func(o *coordinationv1.Lease) {
		o.Labels = maps.Clone(o.Labels)
		delete(o.Labels, naming.LabelMemberOf)
	})
	if got := c.next(events); got.Name != a.Name || !got.Deleted {
		c.t.Errorf("event %+v, want that %s is no member any more", got, a.Name)
	}
}

func membersOfAnother(c *circle) {
	other := &circle{MembersFixture: c.MembersFixture, t: c.t, ctx: c.ctx, members: c.Open(c.t, c.Election+"-other")}
	other.Election += "-other"
	c.create("web-9")
	_, from := c.list()
	events, _ := c.watch(c.members, from)
	other.create("web-0")
	a := c.create("web-1")
	c.wantNext(events, memberSight{a.Name, a.Version, false})
}

func membersWatchEnds(c *circle) {
	c.create("web-0")
	_, from := c.list()
	_, stop := c.watch(c.members, from)
	if err := stop(); !errors.Is(err, context.Canceled) {
		c.t.Errorf("the watch ended with %v, want %v", err, context.Canceled)
	}
}
