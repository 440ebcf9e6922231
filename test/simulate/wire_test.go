//go:build linux

package simulate

import (
	"context"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// A process is its elector's store: it carries each call over the process's boundaries to the candidate's network, and
// shows the rules what passes.
var _ lease.Store = (*process)(nil)

// Get implements [lease.Store].
func (p *process) Get(ctx context.Context) (lease.Reply, error) {
	return p.exchange(ctx, asking{verb: get}, p.c.store.Get)
}

// Create implements [lease.Store].
func (p *process) Create(ctx context.Context, r lease.Record) (lease.Reply, error) {
	return p.exchange(ctx, asking{verb: create, record: r}, func(ctx context.Context) (lease.Reply, error) {
		return p.c.store.Create(ctx, r)
	})
}

// Update implements [lease.Store].
func (p *process) Update(ctx context.Context, r lease.Record) (lease.Reply, error) {
	return p.exchange(ctx, asking{verb: verbOf(r), record: r}, func(ctx context.Context) (lease.Reply, error) {
		return p.c.store.Update(ctx, r)
	})
}

// Watch implements [lease.Store].
func (p *process) Watch(ctx context.Context, from lease.Version, connected func(), deliver func(lease.Event)) error {
	p.rest("watch", 200*time.Microsecond)
	p.pass(beforeSend)
	if p.gone() {
		return errKilled
	}
	err := p.c.store.Watch(ctx, from, func() {
		p.pass(beforeEvent)
		connected()
	}, func(e lease.Event) {
		p.rest("event", 50*time.Microsecond) // two of one instant come one after the other, or a freeze between them is a race
		p.pass(beforeEvent)
		if ctx.Err() != nil {
			return // the elector may take it or leave it, and would toss a coin
		}
		p.sees(e.Record)
		deliver(e)
	})
	p.rest("watch ended", 50*time.Microsecond)
	p.pass(beforeEnd)
	return err
}

// exchange is one request, as the process lives it. It is judged as of now, when the elector decided on it; it leaves
// a moment later, and much later where the process stands still in between; and its end, too, takes a moment to get
// through, so that it never falls on the very instant of a timer.
func (p *process) exchange(ctx context.Context, a asking, call func(context.Context) (lease.Reply, error)) (lease.Reply, error) {
	p.asks(&a)
	p.rest("send", 200*time.Microsecond)
	p.pass(beforeSend)
	if p.gone() {
		return lease.Reply{}, errKilled
	}
	if ctx.Err() != nil { // it stood still, and its bytes may leave before it finds that the time is over
		if p.w.chance.fraction(p.number, "leaves late", p.w.now()) < 0.5 {
			late, cancel := context.WithTimeout(context.Background(), time.Microsecond)
			defer cancel()
			_, _ = call(late)
		}
		p.answered(&a, lease.Reply{}, ctx.Err())
		return lease.Reply{}, ctx.Err()
	}
	reply, err := call(ctx)
	p.rest("reply", 50*time.Microsecond)
	p.pass(beforeReply)
	if p.gone() {
		return lease.Reply{}, errKilled
	}
	p.answered(&a, reply, err)
	return reply, err
}
