//go:build linux

package dir

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/internal/cas"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// Members are the identity Leases of an election in a directory: a file each, with one ledger and one lock for all of them,
// so that their versions can be compared. Unlike the election's Lease they are not synced to the disk: a loss of power ends
// every member.
type Members struct {
	store               *Store // its files are the ledger's; its name is the election's, with the suffix of the group
	namespace, election string
}

var _ lease.Members = (*Members)(nil)

// groupSuffix distinguishes the files of an election's members from those of its Lease. No Lease is named so: "_" is in none.
const groupSuffix = "_members"

// NewMembers returns the members of the election of that namespace and Lease in the directory path. It fails as [New] does.
func NewMembers(path, namespace, election string, log *slog.Logger) (*Members, error) {
	s, err := New(path, namespace, election, log)
	if err != nil {
		return nil, err
	}
	s.files = newFiles(s.files.dir, namespace, election+groupSuffix)
	return &Members{store: s, namespace: namespace, election: election}, nil
}

// Get implements [lease.Members].
func (m *Members) Get(ctx context.Context, name string) (lease.Member, error) {
	return m.decide(ctx, "read", name, func(l ledger) (*coordinationv1.Lease, error) {
		if l.Present == nil {
			return nil, lease.ErrNotFound
		}
		return l.Present, nil
	})
}

// Create implements [lease.Members].
func (m *Members) Create(ctx context.Context, member lease.Member) (lease.Member, error) {
	return m.decide(ctx, "create", member.Name, func(l ledger) (*coordinationv1.Lease, error) {
		if l.Present != nil {
			return nil, lease.ErrExists
		}
		return cas.CreateMember(member, m.namespace, cas.Next(l.Version), time.Now())
	})
}

// Update implements [lease.Members].
func (m *Members) Update(ctx context.Context, member lease.Member) (lease.Member, error) {
	return m.decide(ctx, "update", member.Name, func(l ledger) (*coordinationv1.Lease, error) {
		return cas.UpdateMember(l.Present, member, cas.Next(l.Version))
	})
}

// Delete implements [lease.Members].
func (m *Members) Delete(ctx context.Context, member lease.Member) error {
	return m.locked(ctx, "delete", func(g group) error {
		if err := cas.Compare(g.Members[member.Name].Present, member.UID, member.Version); err != nil {
			return err
		}
		if err := m.remove(member.Name); err != nil {
			return err
		}
		return m.write(g.with(member.Name, g.of(member.Name).removed()))
	})
}

// List implements [lease.Members].
func (m *Members) List(ctx context.Context, deliver func(lease.Member)) (lease.Version, error) {
	g, err := m.look(ctx)
	if err != nil {
		return "", err
	}
	for _, l := range g.Members {
		if !m.selects(l.Present) {
			continue
		}
		if member, err := lease.MemberFromObject(l.Present); err == nil {
			deliver(member)
		}
	}
	return cmp.Or(g.Version, "0"), nil // "0" is before the first
}

// Watch implements [lease.Members]. Like the Lease's, it skips states that came and went between two looks.
func (m *Members) Watch(ctx context.Context, from lease.Version, connected func(), deliver func(lease.MemberEvent)) error {
	hints, end := m.store.hints()
	defer end()
	for first := true; ; first = false {
		before := m.glimpse()
		g, err := m.look(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("watch the members: %w", err)
		}
		if g.Forgotten.Compare(from) > 0 {
			return lease.ErrExpired
		}
		if first && connected != nil {
			connected()
		}
		for _, e := range m.since(g, from) {
			from = e.Member.Version
			deliver(e)
		}
		m.waitForChange(ctx, hints, before)
	}
}

// since returns what a watch that has seen everything up to from has missed, in the order of the versions.
func (m *Members) since(g group, from lease.Version) []lease.MemberEvent {
	var events []lease.MemberEvent
	for _, l := range g.Members {
		for _, o := range []*coordinationv1.Lease{l.Deleted, l.Present} {
			if o == nil || lease.Version(o.ResourceVersion).Compare(from) <= 0 {
				continue
			}
			if member, err := lease.MemberFromObject(o); err == nil {
				events = append(events, lease.MemberEvent{Member: member, Deleted: o == l.Deleted || !m.selects(o)})
			}
		}
	}
	slices.SortFunc(events, func(a, b lease.MemberEvent) int { return a.Member.Version.Compare(b.Member.Version) })
	return events
}

// selects reports whether there is an object, and it has the election's label.
func (m *Members) selects(o *coordinationv1.Lease) bool {
	return o != nil && o.Labels[naming.LabelMemberOf] == m.election
}

// look reads the group. It reads a torn file again before it leaves that out: an editor may be writing it in place.
func (m *Members) look(ctx context.Context) (seen group, err error) {
	for again := tornLooks; ; again-- {
		torn := false
		err = m.locked(ctx, "read", func(g group) error {
			seen, torn = g, len(g.torn) > 0
			return nil
		})
		if again == 0 || err != nil || !torn {
			return seen, err
		}
		_ = bootclock.Sleep(ctx, bootclock.System{}, tornPause) // an error shows at the lock
	}
}

// decide runs one read, compare and write of a member: choose sees its state, and returns the object to store.
func (m *Members) decide(
	ctx context.Context, verb, name string, choose func(ledger) (*coordinationv1.Lease, error),
) (member lease.Member, err error) {
	if _, err := naming.ParseLeaseName(name); err != nil {
		return lease.Member{}, err
	}
	err = m.locked(ctx, verb, func(g group) error {
		if err := g.torn[name]; err != nil {
			return err
		}
		l := g.of(name)
		o, err := choose(l)
		if err == nil && o != l.Present {
			if err = m.store.files.replace(m.file(name), o); err == nil {
				err = m.write(g.with(name, l.with(o)))
			}
		}
		if err == nil {
			member, err = lease.MemberFromObject(o)
		}
		return err
	})
	return member, err
}

// locked calls do with the group while it holds the lock. An error of do that a caller can tell apart stays as it is.
func (m *Members) locked(ctx context.Context, verb string, do func(group) error) error {
	err := m.store.withLock(ctx, func() error {
		g, err := m.read()
		if err != nil {
			return err
		}
		return do(g)
	})
	for _, known := range []error{lease.ErrNotFound, lease.ErrExists, lease.ErrConflict} {
		if errors.Is(err, known) {
			return err
		}
	}
	if err != nil {
		return fmt.Errorf("%s the members' Leases: %w", verb, err)
	}
	return nil
}

// read reads the group's ledger, and writes down what was done to the files by hand since. The caller holds the lock.
func (m *Members) read() (group, error) {
	written, err := m.readGroup()
	if err != nil {
		m.store.log.Warn("ledger of the members is lost, going on from their files", "reason", "LedgerLost", "error", err)
	}
	names, err := m.names()
	if err != nil {
		return group{}, err
	}
	g := written
	g.torn = map[string]error{}
	for name := range written.Members {
		if !slices.Contains(names, name) && g.Members[name].Present != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		f := files{dir: m.store.files.dir, lease: m.file(name)}
		o, err := f.readLease(m.namespace, name)
		if err != nil {
			g.torn[name] = err
			continue
		}
		l := g.of(name).accountFor(o)
		if l.Version == g.Version {
			continue
		}
		if g = g.with(name, l); l.Present != nil && !cas.Same(o, l.Present) {
			if err := m.store.files.replace(m.file(name), l.Present); err != nil {
				return group{}, err
			}
		}
	}
	if g.Version != written.Version {
		return g, m.write(g)
	}
	return g, nil
}
