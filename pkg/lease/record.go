package lease

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// Record is a Lease as the election reads and writes it. It is a value, and carries what it does not model of the object along.
type Record struct {
	// UID and Version identify this state of this object; empty on a record not yet stored.
	UID     string
	Version Version
	// Holder is the identity that holds the Lease; "" when nobody does.
	Holder string
	// DurationSeconds is spec.leaseDurationSeconds; 0 when unset.
	DurationSeconds int32
	// AcquireTime and RenewTime are the writer's wall clock, in microseconds: never compare them with a clock of this machine.
	AcquireTime, RenewTime time.Time
	// Transitions is spec.leaseTransitions: how many terms the Lease has seen.
	Transitions int32
	// Mark is the annotation lease-sidecar.dev/fenced-by, unparsed.
	Mark string
	// Workload is the annotation lease-sidecar.dev/workload ("deployment/web"); "" when absent.
	Workload string
	// PreferredHolder is spec.preferredHolder: somebody asks for a graceful handover to that identity.
	PreferredHolder string
	// Successor is the annotation lease-sidecar.dev/successor, unparsed: see [Record.NamedSuccessor].
	Successor string
	// Wish is the annotation lease-sidecar.dev/preferred-holder: somebody asks for a handover to the pod of that name. WishAnswer is
	// lease-sidecar.dev/preferred-holder-answer: what the leader has answered.
	Wish, WishAnswer string

	object *coordinationv1.Lease // the object as read, for all that the fields above do not model; nil when new
}

// FromObject reads a Lease object. It fails where the object's resourceVersion cannot be ordered.
func FromObject(o *coordinationv1.Lease) (Record, error) {
	version, err := ParseVersion(o.ResourceVersion)
	if err != nil {
		return Record{}, fmt.Errorf("read Lease %s/%s: %w", o.Namespace, o.Name, err)
	}
	return Record{
		UID:             string(o.UID),
		Version:         version,
		Holder:          deref(o.Spec.HolderIdentity),
		DurationSeconds: deref(o.Spec.LeaseDurationSeconds),
		AcquireTime:     fromMicro(o.Spec.AcquireTime),
		RenewTime:       fromMicro(o.Spec.RenewTime),
		Transitions:     deref(o.Spec.LeaseTransitions),
		Mark:            o.Annotations[naming.AnnotationFencedBy],
		Workload:        o.Annotations[naming.AnnotationWorkload],
		PreferredHolder: deref(o.Spec.PreferredHolder),
		Successor:       o.Annotations[naming.AnnotationSuccessor],
		Wish:            o.Annotations[naming.AnnotationPreferredHolder],
		WishAnswer:      o.Annotations[naming.AnnotationPreferredHolderAnswer],
		object:          o,
	}, nil
}

// Object returns the object that r was read from, with r's fields, the name and the election's label set. The caller owns it.
func (r Record) Object(namespace, name string) *coordinationv1.Lease {
	o := &coordinationv1.Lease{}
	if r.object != nil {
		o = r.object.DeepCopy()
	}
	o.Namespace, o.Name = namespace, name
	o.UID, o.ResourceVersion = types.UID(r.UID), string(r.Version)
	o.ManagedFields = nil // the server keeps its own
	o.Labels = with(o.Labels, naming.LabelElection, "true")
	o.Annotations = with(o.Annotations, naming.AnnotationFencedBy, r.Mark)
	o.Annotations = with(o.Annotations, naming.AnnotationWorkload, r.Workload)
	o.Annotations = with(o.Annotations, naming.AnnotationSuccessor, r.Successor)
	o.Annotations = with(o.Annotations, naming.AnnotationPreferredHolder, r.Wish)
	o.Annotations = with(o.Annotations, naming.AnnotationPreferredHolderAnswer, r.WishAnswer)
	o.Spec.HolderIdentity = new(r.Holder)
	o.Spec.LeaseDurationSeconds = nonZero(r.DurationSeconds)
	o.Spec.AcquireTime = toMicro(r.AcquireTime)
	o.Spec.RenewTime = toMicro(r.RenewTime)
	o.Spec.LeaseTransitions = new(r.Transitions)
	o.Spec.PreferredHolder = nonZero(r.PreferredHolder)
	return o
}

// Released reports whether the last writer was a holder that had stopped, and released: only then may anyone take the Lease at
// once. The mark of an earlier release does not count, as it names its renew time.
func (r Record) Released() bool {
	return r.Holder == "" && !r.RenewTime.IsZero() && r.Mark == ReleasedMark(r.RenewTime)
}

// with sets key to value in m, or removes it where value is "". It makes m where there is none.
func with(m map[string]string, key, value string) map[string]string {
	if value == "" {
		delete(m, key)
		return m
	}
	if m == nil {
		m = map[string]string{}
	}
	m[key] = value
	return m
}

// NextTransitions returns the count for a new term. It stops at the field's largest value rather than wrap.
func (r Record) NextTransitions() int32 {
	if r.Transitions < 0 || r.Transitions == math.MaxInt32 {
		return max(r.Transitions, 0)
	}
	return r.Transitions + 1
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

func nonZero[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func fromMicro(t *metav1.MicroTime) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

func toMicro(t time.Time) *metav1.MicroTime {
	if t.IsZero() {
		return nil
	}
	return &metav1.MicroTime{Time: t.UTC()}
}

// Version is an object's resourceVersion: a decimal number of any length that rises with every write of the store, deletions
// included. "" stands for none and comes before all others. Kubernetes lets clients compare them since v1.35 (KEP-5504).
type Version string

// ParseVersion reads a resourceVersion. It refuses what cannot be ordered: an empty string, letters, leading zeros.
func ParseVersion(s string) (Version, error) {
	if s == "" || s[0] == '0' || strings.Trim(s, "0123456789") != "" {
		return "", fmt.Errorf("resourceVersion %q is not a decimal number: this store's versions cannot be ordered", s)
	}
	return Version(s), nil
}

// Compare returns -1 where v is older than w, 0 where they are equal, +1 where v is newer.
func (v Version) Compare(w Version) int {
	if c := cmp.Compare(len(v), len(w)); c != 0 {
		return c
	}
	return cmp.Compare(v, w)
}
