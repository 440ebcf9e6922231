//go:build linux

package fleet

import (
	"context"
	"slices"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// Worker is a program of a test's own that works beside a pod by what the pod's document says, in place of the simulated app.
type Worker interface {
	// Run works until ctx ends: the pod is gone.
	Run(ctx context.Context)
	// Look is called just before and just after the document changes.
	Look()
}

// WithWorkers returns the plan with a worker beside each pod instead of the simulated workloads. hire makes a pod's worker; it
// must not call the pod's methods. Left out are client-go's elector, and the restored store, in which tokens may fall.
func (s Plan) WithWorkers(hire func(*Pod) Worker) Plan {
	s.workers, s.Slots = hire, slices.Clone(s.Slots)
	for i, old := range s.Slots {
		s.Slots[i] = Slot{PPM: old.PPM, skew: old.skew, priority: old.priority, work: workerWork}
	}
	s.Faults = slices.DeleteFunc(slices.Clone(s.Faults), func(f Fault) bool { return f.Kind == storeRestored })
	return s
}

// hire starts the pod's worker, if the plan has workers. The caller holds the world's lock.
func (p *Pod) hire() {
	if p.w.plan.workers == nil || p.w.closing {
		return
	}
	p.worker = p.w.plan.workers(p)
	var ctx context.Context
	ctx, p.dismiss = context.WithCancel(context.Background())
	p.w.running.Go(func() { p.worker.Run(ctx) })
}

// look lets the pod's worker look at its document.
func (p *Pod) look() {
	if p.worker != nil {
		p.worker.Look()
	}
}

// Number returns the pod's number in its world, from 1.
func (p *Pod) Number() int { return p.number }

// Now reads the boot clock of the pod's machine.
func (p *Pod) Now() bootclock.Instant { return p.c.clock.boot(p.w.now()) }

// Document returns what the pod's document says now, by the machine's clock. It is the zero value once the pod is gone.
func (p *Pod) Document() leadership.Leadership {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if p.gone {
		return leadership.Leadership{}
	}
	return p.file.At(p.Now())
}

// Drained reports to the pod's sidecar that the work of a leadership has stopped. A frozen sidecar answers when it thaws.
func (p *Pod) Drained(l leadership.Leadership) {
	p.w.mu.Lock()
	q := p.process
	p.w.mu.Unlock()
	if q == nil {
		return
	}
	q.passAs(beforeOrder, "drained by the worker")
	if !q.gone() {
		_ = q.waiter.Drained(l, "") // an error says that the drain is over already
	}
}
