package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/internal/cas"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// Members is one member's connection to the identity Leases of an election in a [Backend]. The faults of its Store are its own.
type Members struct {
	*Store // its key names the election
}

var _ lease.Members = (*Members)(nil)

// Members returns a new connection for the members of the election with that Lease.
func (b *Backend) Members(namespace, election string) *Members {
	return &Members{b.Store(namespace, election)}
}

func (m *Members) of(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: m.key.Namespace, Name: name}
}

// selects reports whether the object has the election's label.
func (m *Members) selects(o *coordinationv1.Lease) bool {
	return o.Namespace == m.key.Namespace && o.Labels[naming.LabelMemberOf] == m.key.Name
}

// Get implements [lease.Members].
func (m *Members) Get(ctx context.Context, name string) (lease.Member, error) {
	return send(ctx, m.Store, Get, func() (lease.Member, error) {
		m.backend.mu.Lock()
		defer m.backend.mu.Unlock()
		return member(m.backend.state.leases[m.of(name)])
	})
}

// Create implements [lease.Members].
func (m *Members) Create(ctx context.Context, made lease.Member) (lease.Member, error) {
	return send(ctx, m.Store, Create, func() (lease.Member, error) {
		return m.write(made.Name, func(current *coordinationv1.Lease, next lease.Version) (*coordinationv1.Lease, error) {
			if current != nil {
				return nil, lease.ErrExists
			}
			return cas.CreateMember(made, m.key.Namespace, next, time.Now())
		})
	})
}

// Update implements [lease.Members].
func (m *Members) Update(ctx context.Context, changed lease.Member) (lease.Member, error) {
	return send(ctx, m.Store, Update, func() (lease.Member, error) {
		return m.write(changed.Name, func(current *coordinationv1.Lease, next lease.Version) (*coordinationv1.Lease, error) {
			return cas.UpdateMember(current, changed, next)
		})
	})
}

func (m *Members) write(name string, choose func(*coordinationv1.Lease, lease.Version) (*coordinationv1.Lease, error)) (lease.Member, error) {
	b := m.backend
	b.mu.Lock()
	defer b.mu.Unlock()
	current := b.state.leases[m.of(name)]
	o, err := choose(current, cas.Next(b.state.version))
	if err != nil {
		return lease.Member{}, err
	}
	if o != current {
		b.put(m.of(name), o)
	}
	return member(o)
}

// Delete implements [lease.Members].
func (m *Members) Delete(ctx context.Context, gone lease.Member) error {
	_, err := send(ctx, m.Store, Delete, func() (struct{}, error) {
		b := m.backend
		b.mu.Lock()
		defer b.mu.Unlock()
		if err := cas.Compare(b.state.leases[m.of(gone.Name)], gone.UID, gone.Version); err != nil {
			return struct{}{}, err
		}
		b.remove(m.of(gone.Name))
		return struct{}{}, nil
	})
	return err
}

// List implements [lease.Members].
func (m *Members) List(ctx context.Context, deliver func(lease.Member)) (lease.Version, error) {
	type list struct {
		members []lease.Member
		version lease.Version
	}
	all, err := send(ctx, m.Store, List, func() (all list, err error) {
		b := m.backend
		b.mu.Lock()
		defer b.mu.Unlock()
		all.version = cmp.Or(b.state.version, "0") // before the first
		for _, o := range b.state.leases {
			if m.selects(o) {
				one, err := member(o)
				if err != nil {
					return all, err
				}
				all.members = append(all.members, one)
			}
		}
		return all, nil
	})
	slices.SortFunc(all.members, func(a, b lease.Member) int { return a.Version.Compare(b.Version) })
	for _, one := range all.members {
		deliver(one)
	}
	return all.version, err
}

// Watch implements [lease.Members].
func (m *Members) Watch(ctx context.Context, from lease.Version, connected func(), deliver func(lease.MemberEvent)) error {
	if err := m.dial(ctx, Watch); err != nil {
		return err
	}
	w, err := m.open(from)
	if err != nil {
		return err
	}
	if connected != nil {
		connected()
	}
	for ctx.Err() == nil {
		c, step := w.look(m.concerns)
		switch {
		case step.over:
			return step.why
		case c != nil:
			one, err := member(c.object)
			if err != nil {
				return err
			}
			deliver(lease.MemberEvent{Member: one, Deleted: c.deleted || !m.selects(c.object)})
		default:
			step.wait(ctx)
		}
	}
	return ctx.Err()
}

// concerns reports whether the i-th change of the history is one of a member, or took a member's label away.
func (m *Members) concerns(history []change, i int) bool {
	if m.selects(history[i].object) {
		return true
	}
	for before := i - 1; before >= 0; before-- {
		if history[before].key == history[i].key {
			return m.selects(history[before].object)
		}
	}
	return false
}

// member returns a copy of the stored object as a member; nil: there is none.
func member(o *coordinationv1.Lease) (lease.Member, error) {
	if o == nil {
		return lease.Member{}, lease.ErrNotFound
	}
	return lease.MemberFromObject(o.DeepCopy())
}

// remove deletes the object at a new version. The caller holds the lock, and there is one.
func (b *Backend) remove(key types.NamespacedName) {
	o := b.state.leases[key].DeepCopy()
	delete(b.state.leases, key)
	o.ResourceVersion = string(cas.Next(b.state.version))
	b.record(change{key: key, object: o, deleted: true})
}

// look returns the next change of the history that concerns the watch and has arrived; nil with what to do in its place.
func (w *watch) look(concerns func([]change, int) bool) (*change, step) {
	b := w.store.backend
	b.mu.Lock()
	defer b.mu.Unlock()
	if s, held := w.held(); held {
		return nil, s
	}
	for ; w.position < len(b.state.history); w.position++ {
		if !concerns(b.state.history, w.position) {
			continue
		}
		c := b.state.history[w.position]
		if early := w.store.lag - time.Since(c.at); early > 0 {
			return nil, step{changed: b.changed, arrival: time.After(early)}
		}
		w.position++
		return &c, step{}
	}
	return nil, step{changed: b.changed}
}
