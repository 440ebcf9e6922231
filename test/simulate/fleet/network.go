//go:build linux

package fleet

import (
	"context"
	"errors"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
)

var (
	errRefused = errors.New("connection refused")
	errStorm   = errors.New("429 Too Many Requests, 503 Service Unavailable")
)

// network is between one candidate and the store. Most fields are the true time until which that fault
// lasts. Guarded by the world's lock.
type network struct {
	cutRequests, cutReplies  time.Duration
	slow, lossy, late, twice time.Duration
	stormy, lying            time.Duration // refused; refused and applied all the same
	slowBy                   time.Duration
	slowWrites               time.Duration // writes alone, as with an admission webhook that is down or a slow disk
	slowWritesBy             time.Duration // how slow each write is, plus up to half a second
	stalled, lagging         time.Duration // the watch
	watchTrouble             time.Duration // when the watch last had any fault except half open
}

const hop = 4 * time.Millisecond // one way through a healthy network takes up to this

// fate decides what happens to a request of this candidate.
func (c *candidate) fate(verb memory.Verb) memory.Fate {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	now, n := c.w.now(), &c.net
	span := func(what string, most time.Duration) time.Duration { return c.w.chance.span(c.number, what, now, most) }
	odds := func(what string) float64 { return c.w.chance.fraction(c.number, what, now) }

	f := memory.Fate{Delay: span("there", hop), ReplyDelay: span("back", hop)}
	if now < c.w.outage {
		f.Err = errRefused
		return f
	}
	f.Lost = now < n.cutRequests || now < n.lossy && odds("lost") < 0.25
	f.ReplyLost = now < n.cutReplies || now < n.lossy && odds("reply lost") < 0.25
	if now < n.slow {
		f.Delay += span("slow there", n.slowBy)
		f.ReplyDelay += span("slow back", n.slowBy)
	}
	write := verb == memory.Create || verb == memory.Update
	if now < n.slowWrites && write {
		f.Delay += n.slowWritesBy + span("slow write", 500*time.Millisecond)
	}
	if now < n.late && write && odds("late") < 0.7 {
		f.Delay += span("late by", 40*time.Second)
	}
	if now < n.twice && verb != memory.Watch && odds("twice") < 0.6 {
		f.Again = span("again after", 300*time.Millisecond)
	}
	if (now < n.stormy || now < n.lying) && odds("storm") < 0.7 {
		f.Err, f.Applied = errStorm, now < n.lying && odds("lie") < 0.5
	}
	return f
}

// lag returns how long a change takes to this candidate's watch.
func (c *candidate) lag(most time.Duration) time.Duration {
	return c.w.chance.span(c.number, "lag", c.w.now(), most)
}

// stall holds the watch's events back for d.
func (c *candidate) stall(d time.Duration) {
	c.trouble(&c.net.watchTrouble, d)
	c.store.StallWatches(true)
	c.troubleThen(&c.net.stalled, d, func() { c.store.StallWatches(false) })
}

// cutReplies loses what the store answers, and what the watch would bring, for d.
func (c *candidate) cutReplies(d time.Duration) {
	c.trouble(&c.net.cutReplies, d)
	c.stall(d)
}

// lagBehind makes the watch's events come up to most late for d.
func (c *candidate) lagBehind(most, d time.Duration) {
	c.trouble(&c.net.watchTrouble, d+most)
	c.store.LagWatches(c.lag(most))
	c.troubleThen(&c.net.lagging, d, func() { c.store.LagWatches(c.lag(2 * hop)) })
}

// breakWatch ends the open watches with err.
func (c *candidate) breakWatch(err error) {
	c.trouble(&c.net.watchTrouble, 0)
	c.store.BreakWatches(err)
}

// A process is its elector's store: it takes each call over the process's boundaries to the candidate's network, and
// shows the rules what passes.
var _ lease.Store = (*process)(nil)

// Get implements [lease.Store].
func (p *process) Get(ctx context.Context) (lease.Record, error) {
	return p.exchange(ctx, attempt{verb: get}, p.c.store.Get)
}

// Create implements [lease.Store].
func (p *process) Create(ctx context.Context, r lease.Record) (lease.Record, error) {
	return p.exchange(ctx, attempt{verb: create, record: r}, func(ctx context.Context) (lease.Record, error) {
		return p.c.store.Create(ctx, r)
	})
}

// Update implements [lease.Store].
func (p *process) Update(ctx context.Context, r lease.Record) (lease.Record, error) {
	return p.exchange(ctx, attempt{verb: verbOf(r), record: r}, func(ctx context.Context) (lease.Record, error) {
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
		p.rest("event", 50*time.Microsecond) // two of one instant come one after the other, or a freeze between them would be a race
		p.pass(beforeEvent)
		if ctx.Err() != nil {
			return // the elector may take it or not, by chance
		}
		p.sees(e.Record)
		deliver(e)
	})
	p.rest("watch ended", 50*time.Microsecond)
	p.pass(beforeEnd)
	return err
}

// exchange performs one request. It is judged now, when the elector decided on it. It leaves a moment later, or much later if the
// process is frozen in between. Its end takes a moment, too, so that it never falls on the instant of a timer.
func (p *process) exchange(ctx context.Context, a attempt, call func(context.Context) (lease.Record, error)) (lease.Record, error) {
	p.asks(&a)
	p.rest("send", 200*time.Microsecond)
	p.pass(beforeSend)
	if p.gone() {
		return lease.Record{}, errKilled
	}
	if ctx.Err() != nil { // it was frozen, and its bytes may leave before it finds that the time is over
		if p.w.chance.fraction(p.number, "leaves late", p.w.now()) < 0.5 {
			late, cancel := context.WithTimeout(context.Background(), time.Microsecond)
			defer cancel()
			_, _ = call(late)
		}
		p.answered(&a, lease.Record{}, ctx.Err())
		return lease.Record{}, ctx.Err()
	}
	reply, err := call(ctx)
	p.rest("reply", 50*time.Microsecond)
	p.pass(beforeReply)
	if p.gone() {
		return lease.Record{}, errKilled
	}
	p.answered(&a, reply, err)
	return reply, err
}
