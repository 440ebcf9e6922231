//go:build linux

package process

import (
	"context"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

const (
	// glance is the pause between looks at processes whose end is not an event.
	glance = 5 * time.Millisecond
	// gatherPause is the pause, in a handover, between looks for new descendants of the last term's processes.
	gatherPause = 50 * time.Millisecond
	// gatherShare bounds the cost of those looks: the pause is at least this many times the last one's duration.
	gatherShare = 20
)

var _ sight.Sight = (*Process)(nil)

// State returns what is seen of the last term's work: the process at the term's end, its descendants, and later ones.
// It is Stopped once all are gone or, if OnLost parks, have stopped running. While one works, it is Running if OnLost ends or
// parks it, if the pod is ending, or if only leftovers of an ended process work; otherwise Unknown, since the process may
// continue on a standby. It is also Unknown if no process was ever found, or none in a handover whose term never began here.
func (p *Process) State(ending bool) sight.State {
	v := p.watch(false)
	return v.state(v.working, ending)
}

// Kills reports whether the fence kills what does not end.
func (p *Process) Kills() bool { return p.cfg.Fence }

type sighting struct {
	scene
	working  bool
	exited   <-chan struct{} // of the held process; nil: none
	turned   <-chan struct{} // closed when a turn ends
	gathered time.Duration   // how long the look for new descendants took; 0: there was none
}

// watch looks at the work. If none is seen, or gather is set, it also looks for new descendants.
func (p *Process) watch(gather bool) sighting {
	p.mu.Lock()
	v := sighting{scene: p.machine.scene(), turned: p.turned}
	if p.handle != nil {
		v.exited, v.headless = p.handle.Exited(), v.headless || p.handle.Ended()
	}
	p.mu.Unlock()
	v.working = v.atWork(statesOf(v.members))
	if !v.everFound || v.leads || v.working && !gather {
		return v
	}
	before := p.cfg.Clock.Now()
	if all, err := p.read(); err == nil { // on an error, use what is known
		v.members = all.Families(ids(v.members)...)
		v.working = v.atWork(statesOf(v.members))
		p.mu.Lock()
		p.machine.addSeen(v.members)
		p.mu.Unlock()
	}
	v.gathered = max(p.cfg.Clock.Now().Sub(before), 1)
	return v
}

// Watch looks closely at the last term's processes until ctx ends, and calls changed when their state may have changed.
func (p *Process) Watch(ctx context.Context, changed func()) {
	timer := p.cfg.Clock.NewTimer()
	defer timer.Stop()
	var gather bootclock.Instant // when to look for new descendants
	for before, first := (sighting{}), true; ; first = false {
		now := p.cfg.Clock.Now()
		v := p.watch(!now.Before(gather))
		if v.gathered > 0 {
			gather = p.cfg.Clock.Now().Add(max(gatherPause, v.gathered*gatherShare))
		}
		if first || v.working != before.working || v.leads != before.leads {
			changed()
		}
		before = v
		next, exited := now.Add(lookMax), (<-chan struct{})(nil)
		if v.working && !v.leads {
			next, exited = max(gather, now.Add(glance)), v.exited
			if exited == nil || p.cfg.OnLost.Parks() {
				next = min(next, now.Add(glance))
			}
		}
		if bootclock.Await(ctx, timer, next, exited, v.turned) != nil {
			return
		}
	}
}

// Finish returns once the fence has nothing left to kill, [Process.Abandon] is called, or ctx ends. Run must go on
// meanwhile. What cannot be killed is waited for until one kill margin after its deadline.
func (p *Process) Finish(ctx context.Context) {
	timer := p.cfg.Clock.NewTimer()
	defer timer.Stop()
	for {
		p.mu.Lock()
		kill := p.machine.kill
		p.mu.Unlock()
		now := p.cfg.Clock.Now()
		if kill.IsZero() || !now.Before(kill.Add(p.cfg.KillMargin)) || !p.watch(false).working {
			return
		}
		timer.Reset(now.Add(killPause))
		select {
		case <-timer.C():
		case <-p.abandoned:
			return
		case <-ctx.Done():
			return
		}
	}
}
