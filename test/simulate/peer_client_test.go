//go:build linux

package simulate

import (
	"context"
	"errors"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typed "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// peerClient is client-go's way to the store: the same network and the same faults as ours, and the timeout that
// NewFromKubeconfig gives to an elector's client, half its renew deadline. What it does not override is never called.
type peerClient struct {
	typed.LeaseInterface
	process *peerProcess
}

var leases = coordinationv1.Resource("leases")

// Leases implements [typed.LeasesGetter].
func (c peerClient) Leases(string) typed.LeaseInterface { return c }

// Get implements [typed.LeaseInterface].
func (c peerClient) Get(ctx context.Context, _ string, _ metav1.GetOptions) (*coordinationv1.Lease, error) {
	return c.exchange(ctx, c.process.c.store.Get)
}

// Create implements [typed.LeaseInterface].
func (c peerClient) Create(ctx context.Context, o *coordinationv1.Lease, _ metav1.CreateOptions) (*coordinationv1.Lease, error) {
	o = o.DeepCopy()
	o.ResourceVersion = "1" // a record has one; the store gives its own
	r, err := lease.FromObject(o)
	if err != nil {
		return nil, err
	}
	return c.exchange(ctx, func(ctx context.Context) (lease.Reply, error) { return c.process.c.store.Create(ctx, r) })
}

// Update implements [typed.LeaseInterface].
func (c peerClient) Update(ctx context.Context, o *coordinationv1.Lease, _ metav1.UpdateOptions) (*coordinationv1.Lease, error) {
	r, err := lease.FromObject(o.DeepCopy())
	if err != nil {
		return nil, err
	}
	return c.exchange(ctx, func(ctx context.Context) (lease.Reply, error) { return c.process.c.store.Update(ctx, r) })
}

func (c peerClient) exchange(ctx context.Context, call func(context.Context) (lease.Reply, error)) (*coordinationv1.Lease, error) {
	p := c.process
	ctx, cancel := context.WithTimeout(ctx, p.w.plan.peerTimings().renew/2)
	defer cancel()
	p.rest("send", 200*time.Microsecond)
	if p.gone() {
		return nil, errKilled
	}
	reply, err := call(ctx)
	p.rest("reply", 50*time.Microsecond)
	switch {
	case p.gone():
		return nil, errKilled
	case errors.Is(err, lease.ErrNotFound):
		return nil, apierrors.NewNotFound(leases, leaseName)
	case errors.Is(err, lease.ErrExists):
		return nil, apierrors.NewAlreadyExists(leases, leaseName)
	case errors.Is(err, lease.ErrConflict):
		return nil, apierrors.NewConflict(leases, leaseName, err)
	case err != nil:
		return nil, err
	}
	return reply.Record.Object(namespace, leaseName), nil
}

func (p *peerProcess) gone() bool {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	return p.dead
}

func (p *peerProcess) rest(what string, most time.Duration) {
	time.Sleep(p.w.chance.span(p.number, what, p.w.now(), most))
}
