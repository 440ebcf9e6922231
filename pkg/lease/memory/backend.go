// Package memory keeps Leases in memory, for tests: an API server in miniature ([Backend]), and for each candidate a [Store]
// whose connection to it can be broken in every way that a network can break it.
//
// It promises the [lease.Store] contract, and only channels, mutexes and timers inside, so that it works in a testing/synctest
// bubble. Make the Backend inside the bubble; whatever still travels at its end is dropped. It does not promise to outlive the
// process.
//
//	candidate a → Store ─ Fate, stall, lag ─┐
//	candidate b → Store ─ Fate, stall, lag ─┼→ Backend ← Edit, Delete, Restore, Compact (the administrator)
package memory

import (
	"maps"
	"slices"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/internal/cas"
)

// Backend holds the Leases that several Stores share, one version counter for all of them, and the history of their changes.
// Its methods may be called from several goroutines at once.
type Backend struct {
	mu       sync.Mutex
	state    state
	changed  chan struct{} // closed and replaced at every change: whoever waits looks again
	notify   func(lease.Event)
	restores int // each of which breaks every watch
}

// state is all that a backup holds.
type state struct {
	version lease.Version
	oldest  lease.Version // a watch from before it is answered ErrExpired
	leases  map[types.NamespacedName]*coordinationv1.Lease
	history []change
}

type change struct {
	key     types.NamespacedName
	object  *coordinationv1.Lease
	deleted bool
	at      time.Time
}

// New returns an empty Backend.
func New() *Backend {
	return &Backend{
		state:   state{leases: map[types.NamespacedName]*coordinationv1.Lease{}},
		changed: make(chan struct{}),
		notify:  func(lease.Event) {},
	}
}

// Changes has notify called for every change from now on, of all Leases, in the store's order, before any watch delivers it.
// notify must not call the Backend.
func (b *Backend) Changes(notify func(lease.Event)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.notify = notify
}

// Advance lets n versions pass, as writes to other objects of the same store would.
func (b *Backend) Advance(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for range n {
		b.state.version = cas.Next(b.state.version)
	}
}

// Read returns a copy of the Lease as it is stored, or nil where there is none.
func (b *Backend) Read(namespace, name string) *coordinationv1.Lease {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state.leases[types.NamespacedName{Namespace: namespace, Name: name}].DeepCopy()
}

// Edit changes the Lease as an administrator would, unconditionally, and reports whether there was one.
func (b *Backend) Edit(namespace, name string, edit func(*coordinationv1.Lease)) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := types.NamespacedName{Namespace: namespace, Name: name}
	current := b.state.leases[key]
	if current == nil {
		return false
	}
	o := current.DeepCopy()
	edit(o)
	o.UID, o.ResourceVersion = current.UID, current.ResourceVersion
	if !cas.Same(current, o) {
		b.put(key, o)
	}
	return true
}

// Delete removes the Lease as an administrator would, at a new version, and reports whether there was one.
func (b *Backend) Delete(namespace, name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := types.NamespacedName{Namespace: namespace, Name: name}
	if b.state.leases[key] == nil {
		return false
	}
	b.remove(key)
	return true
}

// Compact forgets the history, so that a watch from an older version is answered [lease.ErrExpired].
func (b *Backend) Compact() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state.oldest = b.state.version
}

// Backup returns a function that puts everything back as it is now, versions included, and breaks every open watch.
func (b *Backend) Backup() (restore func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	saved := b.state.clone()
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.state = saved.clone()
		b.restores++
		b.wake()
	}
}

func (b *Backend) get(key types.NamespacedName) (lease.Record, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reply(b.state.leases[key])
}

func (b *Backend) create(key types.NamespacedName, r lease.Record) (lease.Record, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state.leases[key] != nil {
		return lease.Record{}, lease.ErrExists
	}
	o, err := cas.Create(r, key.Namespace, key.Name, cas.Next(b.state.version), time.Now())
	if err != nil {
		return lease.Record{}, err
	}
	b.put(key, o)
	return b.reply(o)
}

func (b *Backend) update(key types.NamespacedName, r lease.Record) (lease.Record, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	current := b.state.leases[key]
	o, err := cas.Update(current, r, cas.Next(b.state.version))
	if err != nil {
		return lease.Record{}, err
	}
	if o != current {
		b.put(key, o)
	}
	return b.reply(o)
}

// put stores o at the next version. The caller holds the lock and gives o away.
func (b *Backend) put(key types.NamespacedName, o *coordinationv1.Lease) {
	o.ResourceVersion = string(cas.Next(b.state.version))
	b.state.leases[key] = o
	b.record(change{key: key, object: o})
}

func (b *Backend) record(c change) {
	c.at = time.Now()
	b.state.version = lease.Version(c.object.ResourceVersion)
	b.state.history = append(b.state.history, c)
	if r, err := lease.FromObject(c.object); err == nil {
		b.notify(lease.Event{Record: r, Deleted: c.deleted})
	}
	b.wake()
}

func (b *Backend) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *Backend) reply(o *coordinationv1.Lease) (lease.Record, error) {
	if o == nil {
		return lease.Record{}, lease.ErrNotFound
	}
	return lease.FromObject(o.DeepCopy())
}

func (s state) clone() state {
	s.leases = maps.Clone(s.leases) // objects are never changed once stored
	s.history = slices.Clone(s.history)
	return s
}
