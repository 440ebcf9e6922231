//go:build linux

package fleet

import (
	"context"
	"errors"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/killtime"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals"
)

// errNoSpace is what a full volume answers.
var errNoSpace = errors.New("no space left on device")

// documentSignal writes the document into the volume.
type documentSignal struct{ p *process }

// targetSignal starts and stops the workload, and sends its guard the deadline.
type targetSignal struct{ p *process }

var _, _ signals.Signal = documentSignal{}, targetSignal{}

// Name implements [signals.Signal].
func (documentSignal) Name() string { return "file" }

// Name implements [signals.Signal].
func (targetSignal) Name() string { return "target" }

// Apply implements [signals.Signal].
func (s documentSignal) Apply(ctx context.Context, l leadership.Leadership) error {
	p := s.p
	if !p.restUnless(ctx, "file", time.Millisecond) {
		return context.Cause(ctx)
	}
	p.passAs(beforeApply, "file")
	p.pod.look()
	defer p.pod.look()
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	now := p.w.now()
	switch {
	case p.dead:
		return errKilled
	case now < p.c.full:
		p.w.say(p.name, "file", "the document cannot be written")
		return errNoSpace
	}
	l = l.At(p.boot())
	p.pod.file = l
	p.pod.document.read(now, p.pod.name, l.IsLeader, l.Token, p.trueEnd(l))
	return nil
}

// Apply implements [signals.Signal].
func (s targetSignal) Apply(ctx context.Context, l leadership.Leadership) error {
	p := s.p
	if !p.restUnless(ctx, "target", time.Millisecond) {
		return context.Cause(ctx)
	}
	p.passAs(beforeApply, "target")
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if p.dead {
		return errKilled
	}
	now := p.w.now()
	l = l.At(p.boot())
	a := &p.pod.app
	asked := a.lives(now) && a.stopAt == forever && !l.IsLeader
	if l.IsLeader {
		p.c.blind = 0 // the sight finds it again
	}
	a.apply(now, applied{leads: l.IsLeader, token: l.Token, until: p.trueEnd(l), kill: p.killDeadline(l), starter: p.number})
	if asked && p.c.slot.reports {
		p.reportStop(a.token, a.end()-now)
	}
	return nil
}

// killDeadline returns the deadline that the guard gets with a leadership, by the rule of the product, or 0 if this process has
// started nothing. The caller holds the world's lock.
func (p *process) killDeadline(l leadership.Leadership) time.Duration {
	rule := killtime.Rule{StopTimeout: p.w.plan.StopTimeout, KillMargin: p.w.killMargin}
	if l.IsLeader {
		p.ledUntil, p.stop = l.ValidUntil, killtime.Stop{}
		return p.c.clock.trueTime(rule.After(l.ValidUntil))
	}
	if p.ledUntil.IsZero() {
		return 0
	}
	p.stop = rule.Next(p.stop, p.boot(), p.ledUntil, l)
	return p.c.clock.trueTime(p.stop.At)
}

// reportStop has the workload report in d that its work of a term has stopped, and again a while later, as a client
// does that got no answer.
func (p *process) reportStop(token string, d time.Duration) {
	report := func() {
		p.w.spawn(func() {
			p.passAs(beforeOrder, "drained "+token)
			p.w.mu.Lock()
			works := p.pod.app.token == token && p.pod.app.lives(p.w.now())
			p.w.mu.Unlock()
			if works || p.gone() {
				return
			}
			err := p.waiter.Drained(p.elector.Leadership(), token)
			p.w.sayLocking(p.name, "life", "/drained for token %s: %v", token, err)
		})
	}
	p.w.after(d+p.w.chance.span(p.number, "report", p.w.now(), 10*time.Millisecond), report)
	p.w.after(d+p.w.chance.span(p.number, "report again", p.w.now(), 20*time.Second), report)
}
