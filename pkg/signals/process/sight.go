//go:build linux

package process

import (
	"context"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

const (
	// glance is the pause between looks at processes whose end does not come as an event.
	glance = 5 * time.Millisecond
	// gatherPause is the pause, in a handover, between looks for what the processes of the last term have started since.
	gatherPause = 50 * time.Millisecond
	// gatherShare bounds what those looks cost: the pause is as many times what the last one took.
	gatherShare = 20
)

var _ sight.Sight = (*Process)(nil)

// State returns what is seen of the work of the last term: the process that was there at its end, all that it had started, and what
// these have started since. It is Stopped once they are gone, or, where OnLost parks, have stopped running. While one of them works
// it is Running where OnLost is meant to end or to park it, or the pod is to end; else Unknown, as it may live on as a standby's;
// what an ended process has left behind is nobody's, and so Running. It is Unknown, too, where no process was ever found, or none in
// the handover of a term that never began here.
func (p *Process) State(ending bool) sight.State {
	v := p.watch(false)
	return v.state(v.working, ending)
}

// Kills reports whether what does not end is killed.
func (p *Process) Kills() bool { return p.cfg.Fence }

// sighting is one look at the work.
type sighting struct {
	scene
	working  bool
	exited   <-chan struct{} // of the held process; nil: there is none
	turned   <-chan struct{} // closed when a turn ends
	gathered time.Duration   // what it took to look for what was started meanwhile; 0: that was not done
}

// watch looks at the work. Where none is seen, or gather is set, it looks for what was started meanwhile.
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
	if all, err := p.read(); err == nil { // else use what is known
		v.members = all.Families(ids(v.members)...)
		v.working = v.atWork(statesOf(v.members))
		p.mu.Lock()
		p.machine.addSeen(v.members)
		p.mu.Unlock()
	}
	v.gathered = max(p.cfg.Clock.Now().Sub(before), 1)
	return v
}

// Watch looks closely at the processes of the last term until ctx ends, and calls changed when their state may be another.
func (p *Process) Watch(ctx context.Context, changed func()) {
	timer := p.cfg.Clock.NewTimer()
	defer timer.Stop()
	var gather bootclock.Instant // when to look for what was started meanwhile
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

// Finish returns once nothing is left that the fence has to kill, [Process.Abandon] is called, or ctx ends. Run must go on
// meanwhile. What cannot be killed is not waited for beyond a kill margin after its deadline.
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
