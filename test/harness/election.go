//go:build linux

package harness

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedcoordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/util/retry"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// Election is one workload's election in a namespace of its own: the Lease, and how every replica runs.
type Election struct {
	// Cluster keeps the Lease.
	Cluster *Cluster
	// Access is the workload's ServiceAccount, with the documented Role.
	Access Access
	// Namespace, Prefix, Workload and Lease name it.
	Namespace, Prefix, Workload, Lease string
	// Duration is the lease duration of every replica.
	Duration time.Duration
	// Flags are given to every replica's run command, after those that the harness gives.
	Flags []string
}

// NewElection makes a namespace with the documented Role, and more rules in it where some are given. It ships no Lease: see Ship.
func NewElection(t testing.TB, c *Cluster, duration time.Duration, more ...rbacv1.PolicyRule) *Election {
	t.Helper()
	e := InNamespace(t, c, c.Namespace(t, nil), duration)
	e.Access = c.Grant(t, e.Namespace, "web", append(DocumentedRules(e.Lease), more...)...)
	return e
}

// InNamespace describes the election of deployment/web in a namespace that is there already. Its Access is the
// caller's to set.
func InNamespace(t testing.TB, c *Cluster, namespace string, duration time.Duration) *Election {
	t.Helper()
	e := &Election{Cluster: c, Namespace: namespace, Prefix: "acme", Workload: "deployment/web", Duration: duration}
	name, err := naming.NewLeaseName(e.Prefix, naming.Workload{Kind: "deployment", Name: "web"})
	if err != nil {
		t.Fatalf("name the Lease: %v", err)
	}
	e.Lease = string(name)
	return e
}

// RenewDeadline is how long a renewal carries a term, by the documented default.
func (e *Election) RenewDeadline() time.Duration { return e.Duration * 2 / 3 }

// Ship creates the Lease as a chart does: annotated for the workload and held by nobody.
func (e *Election) Ship(t testing.TB) {
	t.Helper()
	e.Create(t, func(*coordinationv1.Lease) {})
}

// Create makes the Lease, after change has been made to what Ship would make.
func (e *Election) Create(t testing.TB, change func(*coordinationv1.Lease)) {
	t.Helper()
	if err := e.create(t.Context(), change); err != nil {
		t.Fatal(err)
	}
}

func (e *Election) create(ctx context.Context, change func(*coordinationv1.Lease)) error {
	l := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{
		Name:        e.Lease,
		Labels:      map[string]string{naming.LabelElection: "true"},
		Annotations: map[string]string{naming.AnnotationWorkload: e.Workload},
	}}
	change(l)
	if _, err := e.leases().Create(ctx, l, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("create the Lease: %w", err)
	}
	return nil
}

// Edit changes the Lease by hand, whatever its version.
func (e *Election) Edit(t testing.TB, change func(*coordinationv1.Lease)) {
	t.Helper()
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		l := e.Read(t)
		change(l)
		_, err := e.leases().Update(t.Context(), l, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		t.Fatalf("edit the Lease: %v", err)
	}
}

// Read returns the Lease as it is stored.
func (e *Election) Read(t testing.TB) *coordinationv1.Lease {
	t.Helper()
	l, err := e.leases().Get(t.Context(), e.Lease, metav1.GetOptions{})
	if err != nil {
		t.Fatalf("read the Lease: %v", err)
	}
	return l
}

// Holder returns the Lease's holder, "" where there is none or no Lease.
func (e *Election) Holder(t testing.TB) string {
	t.Helper()
	l, err := e.leases().Get(t.Context(), e.Lease, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return ""
	}
	if err != nil {
		t.Fatalf("read the Lease: %v", err)
	}
	if l.Spec.HolderIdentity == nil {
		return ""
	}
	return *l.Spec.HolderIdentity
}

// Delete removes the Lease.
func (e *Election) Delete(t testing.TB) {
	t.Helper()
	if err := e.leases().Delete(t.Context(), e.Lease, metav1.DeleteOptions{}); err != nil {
		t.Fatalf("delete the Lease: %v", err)
	}
}

func (e *Election) leases() typedcoordination.LeaseInterface {
	return e.Cluster.Admin.CoordinationV1().Leases(e.Namespace)
}

// AwaitLeader waits until one of the replicas publishes in its files that it leads, and returns it.
func AwaitLeader(t testing.TB, bound time.Duration, replicas ...*Sidecar) *Sidecar {
	t.Helper()
	var leader *Sidecar
	Eventually(t, bound, fmt.Sprintf("one of %d replicas leads", len(replicas)), func() bool {
		i := slices.IndexFunc(replicas, func(s *Sidecar) bool { leads, _ := s.Leads(); return leads })
		if i >= 0 {
			leader = replicas[i]
		}
		return i >= 0
	})
	return leader
}

// Others returns the replicas but for one.
func Others(replicas []*Sidecar, but *Sidecar) []*Sidecar {
	return slices.DeleteFunc(slices.Clone(replicas), func(s *Sidecar) bool { return s == but })
}

// ShipFree creates the Lease as one that its last holder has just released: the first election need not wait for a lease
// duration.
func (e *Election) ShipFree(t testing.TB) {
	t.Helper()
	if err := e.CreateFree(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// CreateFree is ShipFree for any goroutine.
func (e *Election) CreateFree(ctx context.Context) error {
	released := metav1.NewMicroTime(time.Now().UTC().Truncate(time.Microsecond))
	return e.create(ctx, func(l *coordinationv1.Lease) {
		l.Annotations[naming.AnnotationFencedBy] = lease.ReleasedMark(released.Time)
		l.Spec = coordinationv1.LeaseSpec{
			HolderIdentity: new(string), LeaseDurationSeconds: new(int32(1)), AcquireTime: &released, RenewTime: &released,
			LeaseTransitions: new(int32(0)),
		}
	})
}
