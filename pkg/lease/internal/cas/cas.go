// Package cas is compare-and-swap on Lease objects, by the API server's rules, for the stores that have no API server: the
// directory and the memory.
//
// It promises the rules only: who may replace what, and which version comes next. It does not lock and does not store: the
// caller holds its own lock around the read, the rule and the write.
package cas

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// Create returns the object that a Create of r stores: a new UID, that version, made at now.
func Create(r lease.Record, namespace, name string, version lease.Version, now time.Time) (*coordinationv1.Lease, error) {
	return made(r.Object(namespace, name), version, now)
}

// CreateMember is [Create] for a member.
func CreateMember(m lease.Member, namespace string, version lease.Version, now time.Time) (*coordinationv1.Lease, error) {
	return made(m.Object(namespace), version, now)
}

func made(o *coordinationv1.Lease, version lease.Version, now time.Time) (*coordinationv1.Lease, error) {
	o.UID, o.ResourceVersion = uuid.NewUUID(), string(version)
	o.CreationTimestamp = metav1.NewTime(now)
	return Canonical(o)
}

// Update returns the object that replaces current (nil: absent) by r at the next version; current itself where r changes nothing,
// as the API server writes nothing then. Errors: [lease.ErrNotFound], [lease.ErrConflict], and those of [Conditional].
func Update(current *coordinationv1.Lease, r lease.Record, next lease.Version) (*coordinationv1.Lease, error) {
	if err := Compare(current, r.UID, r.Version); err != nil {
		return nil, err
	}
	return replaced(current, r.Object(current.Namespace, current.Name), next)
}

// UpdateMember is [Update] for a member.
func UpdateMember(current *coordinationv1.Lease, m lease.Member, next lease.Version) (*coordinationv1.Lease, error) {
	if err := Compare(current, m.UID, m.Version); err != nil {
		return nil, err
	}
	return replaced(current, m.Object(current.Namespace), next)
}

// Compare refuses a write that is not made from current (nil: absent), and one that is not conditional at all.
func Compare(current *coordinationv1.Lease, uid string, version lease.Version) error {
	if err := Conditional(uid, version); err != nil {
		return err
	}
	if current == nil {
		return lease.ErrNotFound
	}
	if string(current.UID) != uid || current.ResourceVersion != string(version) {
		return lease.ErrConflict
	}
	return nil
}

func replaced(current, o *coordinationv1.Lease, next lease.Version) (*coordinationv1.Lease, error) {
	o.CreationTimestamp = current.CreationTimestamp // the server's own field: no writer sets it
	o, err := Canonical(o)
	if err != nil {
		return nil, err
	}
	if Same(current, o) {
		return current, nil
	}
	o.ResourceVersion = string(next)
	return o, nil
}

// Conditional refuses a write that could not depend on what was read (I4): a PUT without the UID can bring a deleted Lease
// back, and one without the version overwrites anything.
func Conditional(uid string, version lease.Version) error {
	if uid == "" || version == "" {
		return fmt.Errorf("update a Lease that was never read: UID %q, version %q", uid, version)
	}
	return nil
}

// Next returns the version after v; "1" after none.
func Next(v lease.Version) lease.Version {
	n, ok := new(big.Int).SetString(string(v), 10)
	if !ok {
		n = new(big.Int)
	}
	return lease.Version(n.Add(n, big.NewInt(1)).String())
}

// Canonical returns o as it reads back from its JSON: times in the stored precision, kind and API version set.
func Canonical(o *coordinationv1.Lease) (*coordinationv1.Lease, error) {
	o.TypeMeta = metav1.TypeMeta{Kind: "Lease", APIVersion: coordinationv1.SchemeGroupVersion.String()}
	data, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("encode the Lease: %w", err)
	}
	canonical := &coordinationv1.Lease{}
	if err := json.Unmarshal(data, canonical); err != nil {
		return nil, fmt.Errorf("decode the Lease: %w", err)
	}
	return canonical, nil
}

// Same reports whether two objects have the same JSON.
func Same(a, b *coordinationv1.Lease) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
