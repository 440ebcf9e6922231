package status

import (
	"cmp"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
)

// Moment is a reading of this machine's two clocks. Ages that are measured come from the boot clock, estimates from the wall clock.
type Moment struct {
	// Boot is the boot clock's reading, Wall the wall clock's.
	Boot bootclock.Instant
	Wall time.Time
}

// Read reads both clocks.
func Read(clock bootclock.Clock) Moment { return Moment{Boot: clock.Now(), Wall: clock.Wall()} }

// Seen is a Lease as this process has seen it.
type Seen struct {
	// Object is the Lease, and Record what the election reads of it.
	Object *coordinationv1.Lease
	Record lease.Record
	// At is when this state was first seen. Watched says that the write itself was seen, so that the state is no older.
	At      Moment
	Watched bool
	// Blind says that the source cannot be watched at present: a later write may have been missed.
	Blind bool
	// Token is the fencing token of the term; "" where its take was not seen. TermAt is when the take was watched, or zero.
	Token  string
	TermAt Moment
	// Deleted says that the Lease is gone.
	Deleted bool
}

type key struct{ namespace, name string }

func keyOf(o *coordinationv1.Lease) key { return key{o.Namespace, o.Name} }

// Picture is what has been seen of one source. It is no more than a map: events carry their time.
type Picture struct {
	leases map[key]Seen
	blind  bool
}

// Replace takes a whole list. A Lease that has not changed since keeps its time. One that has was written at an unknown time.
func (p *Picture) Replace(list []coordinationv1.Lease, at Moment) {
	leases := make(map[key]Seen, len(list))
	for i := range list {
		o := &list[i]
		before, known := p.leases[keyOf(o)]
		if known && sameState(before.Object, o) {
			leases[keyOf(o)] = before
			continue
		}
		leases[keyOf(o)] = newSeen(o, at)
	}
	p.leases, p.blind = leases, false
}

// Apply takes a change that was watched.
func (p *Picture) Apply(c kube.Change, at Moment) {
	if c.Lease == nil {
		return
	}
	before, known := p.leases[keyOf(c.Lease)]
	if c.Deleted {
		delete(p.leases, keyOf(c.Lease))
		return
	}
	if known && sameState(before.Object, c.Lease) {
		return
	}
	s := newSeen(c.Lease, at)
	s.Watched = true
	sameTerm := known && before.Record.Holder == s.Record.Holder && before.Record.AcquireTime.Equal(s.Record.AcquireTime)
	switch {
	case sameTerm:
		s.Token, s.TermAt = before.Token, before.TermAt
	case s.Token != "":
		s.TermAt = at
	}
	if p.leases == nil {
		p.leases = map[key]Seen{}
	}
	p.leases[keyOf(c.Lease)] = s
}

// Break notes that the source cannot be watched at present.
func (p *Picture) Break() { p.blind = true }

// newSeen reads an object. The take of a term and its first renewal differ in the renew time, so the token of a term that was never
// renewed is the object's own version.
func newSeen(o *coordinationv1.Lease, at Moment) Seen {
	o.ManagedFields = nil // they can be long, and nobody shows them
	record, err := lease.FromObject(o)
	ordered := err == nil
	if !ordered { // a version that cannot be ordered is no token; the rest is as good as any
		again := o.DeepCopy()
		again.ResourceVersion = "1"
		record, _ = lease.FromObject(again)
	}
	s := Seen{Object: o, Record: record, At: at}
	if ordered && record.Holder != "" && !record.RenewTime.IsZero() && record.RenewTime.Equal(record.AcquireTime) {
		s.Token = string(record.Version)
	}
	return s
}

// sameState reports whether nothing was written between two readings of one Lease. A file of a directory may be edited without
// a new version, so the content counts too.
func sameState(a, b *coordinationv1.Lease) bool {
	return a.UID == b.UID && a.ResourceVersion == b.ResourceVersion && a.Spec.RenewTime.Equal(b.Spec.RenewTime) &&
		equal(a.Spec.HolderIdentity, b.Spec.HolderIdentity) && equal(a.Spec.LeaseDurationSeconds, b.Spec.LeaseDurationSeconds) &&
		sameMap(a.Annotations, b.Annotations) && sameMap(a.Labels, b.Labels)
}

func equal[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }

func sameMap(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			return false
		}
	}
	return true
}

// merged returns what all pictures show, by namespace and name, each Lease once.
func merged(pictures []Picture) []Seen {
	seen := map[key]bool{}
	var all []Seen
	for _, p := range pictures {
		for k, s := range p.leases {
			if !seen[k] {
				seen[k] = true
				s.Blind = p.blind
				all = append(all, s)
			}
		}
	}
	slices.SortFunc(all, func(a, b Seen) int {
		return cmp.Or(strings.Compare(a.Object.Namespace, b.Object.Namespace), strings.Compare(a.Object.Name, b.Object.Name))
	})
	return all
}
