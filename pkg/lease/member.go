package lease

import (
	"context"
	"fmt"
	"maps"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// Member is an identity Lease: the one that a member of an election keeps for itself. It is a value, and carries what it does
// not model of the object along.
type Member struct {
	// Name is the Lease's own name, not the election's.
	Name string
	// UID and Version identify this state of this object; empty on a member not yet stored.
	UID     string
	Version Version
	// Holder is the identity that keeps the Lease; "" once it has left.
	Holder string
	// DurationSeconds is spec.leaseDurationSeconds; 0 when unset.
	DurationSeconds int32
	// AcquireTime and RenewTime are the writer's wall clock, in microseconds: never compare them with a clock of this machine.
	AcquireTime, RenewTime time.Time
	// Transitions is spec.leaseTransitions: how many holders the Lease has seen before this one.
	Transitions int32
	// Labels and Annotations are all that the object has. Copy them before a change: another Member may share them.
	Labels, Annotations map[string]string

	object *coordinationv1.Lease // the object as read, for all that the fields above do not model; nil when new
}

// MemberEvent is one change seen by a watch of members.
type MemberEvent struct {
	// Member is the Lease after the change; of a deletion, its last state with the deletion's version. Where Deleted is false
	// and Name is "", only the version has moved on.
	Member Member
	// Deleted says that the Lease is no longer one of the election's: it was removed, or has lost the label.
	Deleted bool
}

// Members keeps the identity Leases of one election's members: those with the label lease-sidecar.dev/member-of=NAME. Its
// methods may be called from several goroutines at once. Each call is one attempt without retries, and ends when ctx does.
// Versions of different members can be compared with one another.
type Members interface {
	// Get reads the Lease of that name, with the label or without it. Errors: [ErrNotFound], [ErrForbidden].
	Get(ctx context.Context, name string) (Member, error)
	// Create makes the Lease from m, whose UID and Version it ignores. Errors: [ErrExists], [ErrForbidden].
	Create(ctx context.Context, m Member) (Member, error)
	// Update replaces the Lease by m, on the condition that its UID and Version are still m's. Errors: [ErrConflict],
	// [ErrNotFound], [ErrForbidden].
	Update(ctx context.Context, m Member) (Member, error)
	// Delete removes the Lease, on the condition that its UID and Version are still m's. Errors: [ErrConflict],
	// [ErrNotFound], [ErrForbidden].
	Delete(ctx context.Context, m Member) error
	// List calls deliver for every member, and returns the version from which a watch misses nothing. It may fail after some
	// were delivered. Errors: [ErrForbidden].
	List(ctx context.Context, deliver func(Member)) (Version, error)
	// Watch calls deliver for every change after from, which is not "", in order, until ctx ends or the watch breaks, and
	// returns why: nil where the store closed it in good order. It calls connected, where not nil, once the watch stands. It
	// calls both from its own goroutine. Errors: [ErrExpired], [ErrForbidden].
	Watch(ctx context.Context, from Version, connected func(), deliver func(MemberEvent)) error
}

// MemberSelector returns the label selector of the members of the election with that Lease.
func MemberSelector(election string) string { return naming.LabelMemberOf + "=" + election }

// MemberFromObject reads a Lease object. It fails where the object's resourceVersion cannot be ordered.
func MemberFromObject(o *coordinationv1.Lease) (Member, error) {
	version, err := ParseVersion(o.ResourceVersion)
	if err != nil {
		return Member{}, fmt.Errorf("read Lease %s/%s: %w", o.Namespace, o.Name, err)
	}
	return Member{
		Name:            o.Name,
		UID:             string(o.UID),
		Version:         version,
		Holder:          deref(o.Spec.HolderIdentity),
		DurationSeconds: deref(o.Spec.LeaseDurationSeconds),
		AcquireTime:     fromMicro(o.Spec.AcquireTime),
		RenewTime:       fromMicro(o.Spec.RenewTime),
		Transitions:     deref(o.Spec.LeaseTransitions),
		Labels:          o.Labels,
		Annotations:     o.Annotations,
		object:          o,
	}, nil
}

// Object returns the object that m was read from, with m's fields set. The caller owns it.
func (m Member) Object(namespace string) *coordinationv1.Lease {
	o := &coordinationv1.Lease{}
	if m.object != nil {
		o = m.object.DeepCopy()
	}
	o.Namespace, o.Name = namespace, m.Name
	o.UID, o.ResourceVersion = types.UID(m.UID), string(m.Version)
	o.ManagedFields = nil // the server keeps its own
	o.Labels, o.Annotations = maps.Clone(m.Labels), maps.Clone(m.Annotations)
	o.Spec.HolderIdentity = new(m.Holder)
	o.Spec.LeaseDurationSeconds = nonZero(m.DurationSeconds)
	o.Spec.AcquireTime = toMicro(m.AcquireTime)
	o.Spec.RenewTime = toMicro(m.RenewTime)
	o.Spec.LeaseTransitions = new(m.Transitions)
	return o
}

// Slim returns m without what it does not model, and without what its writer put there: name, UID and version remain. It is
// enough for a Delete, and small however large the object is.
func (m Member) Slim() Member { return Member{Name: m.Name, UID: m.UID, Version: m.Version} }
