//go:build linux

package fleet

import (
	"context"
	"errors"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typed "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// peer is a candidate that runs client-go's own elector, one process after the other: a process that has lost leadership
// exits, as programs do, and is started again.
type peer struct {
	w       *world
	c       *candidate
	process *peerProcess
}

// peerProcess is one run of client-go's elector. Its own fields are guarded by the world's lock.
type peerProcess struct {
	w        *world
	c        *candidate
	number   int
	name     string
	identity string
	cancel   context.CancelFunc
	pause    time.Duration // before the next one starts

	dead, stopped bool
	spans         []span // in which it led
}

func (p *peer) start() {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if p.w.closing {
		return
	}
	p.w.processes++
	r := &peerProcess{w: p.w, c: p.c, number: 1000 + p.w.processes, identity: identityOf(p.c.name, p.w.processes), pause: p.w.cfg.Duration / 4}
	r.name = p.c.name + "/" + r.identity[len(r.identity)-3:]
	p.process = r
	p.w.peers = append(p.w.peers, r)
	p.w.say(r.name, "life", "client-go starts")
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(klog.NewContext(context.Background(), klog.Logger{}))
	p.w.running.Go(func() {
		r.run(ctx, p.c.slot.release)
		p.w.after(r.pause, p.start)
	})
}

func (p *peerProcess) run(ctx context.Context, release bool) {
	t := p.w.plan.peerTimings()
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta: metav1.ObjectMeta{Namespace: namespace, Name: leaseName}, Client: peerClient{process: p},
			LockConfig: resourcelock.ResourceLockConfig{Identity: p.identity},
		},
		LeaseDuration: t.lease, RenewDeadline: t.renew, RetryPeriod: t.retry, ReleaseOnCancel: release,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { p.leading(true) },
			OnStoppedLeading: func() { p.leading(false) },
		},
	})
	if err != nil {
		panic(err)
	}
	elector.Run(ctx)
}

// leading is called when the program begins to lead, and when it stops, which it does once.
func (p *peerProcess) leading(leads bool) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if p.stopped {
		return
	}
	now := p.w.now()
	p.w.say(p.name, "state", "client-go leads: %v", leads)
	if leads {
		p.spans = append(p.spans, span{from: now, to: forever, who: p.name, theirs: true})
		p.w.tally.peerTerms++
		return
	}
	p.stopped = true
	p.end(now)
}

func (p *peerProcess) end(now time.Duration) {
	if n := len(p.spans); n > 0 && p.spans[n-1].to == forever {
		p.spans[n-1].to = now
	}
}

// leads reports whether the present process leads. The caller holds the world's lock.
func (p *peer) leads() bool {
	r := p.process
	return r != nil && len(r.spans) > 0 && r.spans[len(r.spans)-1].to == forever
}

// kill ends the program as SIGKILL does. The next one starts after a pause.
func (p *peer) kill(pause time.Duration) { p.stop("killed", pause) }

// terminate sends the program SIGTERM.
func (p *peer) terminate(pause time.Duration) { p.stop("SIGTERM", pause) }

func (p *peer) stop(how string, pause time.Duration) {
	p.w.mu.Lock()
	r := p.process
	if r == nil || r.stopped {
		p.w.mu.Unlock()
		return
	}
	r.pause = pause
	if how == "killed" {
		r.dead, r.stopped = true, true
		r.end(p.w.now())
	}
	p.w.say(r.name, "life", "%s", how)
	p.w.mu.Unlock()
	r.cancel()
}

func (p *peer) close() {
	p.w.mu.Lock()
	r := p.process
	if r != nil {
		r.dead = true
		r.end(p.w.now())
	}
	p.w.mu.Unlock()
	if r != nil {
		r.cancel()
	}
}

// peerClient is client-go's client of the store: the same network and the same faults as ours, and the timeout that
// NewFromKubeconfig gives to an elector's client, half its renew deadline. The methods that it does not override are never called.
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
	o.ResourceVersion = "1" // a record needs one; the store sets its own
	r, err := lease.FromObject(o)
	if err != nil {
		return nil, err
	}
	return c.exchange(ctx, func(ctx context.Context) (lease.Record, error) { return c.process.c.store.Create(ctx, r) })
}

// Update implements [typed.LeaseInterface].
func (c peerClient) Update(ctx context.Context, o *coordinationv1.Lease, _ metav1.UpdateOptions) (*coordinationv1.Lease, error) {
	r, err := lease.FromObject(o.DeepCopy())
	if err != nil {
		return nil, err
	}
	return c.exchange(ctx, func(ctx context.Context) (lease.Record, error) { return c.process.c.store.Update(ctx, r) })
}

func (c peerClient) exchange(ctx context.Context, call func(context.Context) (lease.Record, error)) (*coordinationv1.Lease, error) {
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
	return reply.Object(namespace, leaseName), nil
}

func (p *peerProcess) gone() bool {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	return p.dead
}

func (p *peerProcess) rest(what string, most time.Duration) {
	time.Sleep(p.w.chance.span(p.number, what, p.w.now(), most))
}
