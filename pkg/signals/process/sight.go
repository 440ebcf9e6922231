//go:build linux

package process

import (
	"context"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
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

// scene is what the machine knows of the workload's work at one moment.
type scene struct {
	cfg                            Config
	members                        []procfs.Process // whose work it is: of this term, or of the last
	headless                       bool             // the process of the last term is gone, whatever it left behind
	seen, leads, awaits, untracked bool
}

func (m *machine) scene() scene {
	c := scene{
		cfg: m.cfg, members: m.work, headless: m.held == nil || !contains(m.work, m.held.ID),
		seen: m.seen, leads: m.leads, awaits: m.awaits, untracked: m.drain.untracked(),
	}
	if m.leads {
		c.members = m.kin
	}
	return c
}

// works reports whether any member is at work, by the states of those that have not ended.
func (c scene) works(states map[procfs.ID]byte) bool {
	parks := c.cfg.OnLost.Parks() && !c.leads
	for _, p := range c.members {
		if state, lives := states[p.ID]; lives && (!parks || !(procfs.Process{State: state}).Stopped()) {
			return true
		}
	}
	return false
}

// state judges what is seen, as [Process.State] says.
func (c scene) state(works, ending bool) sight.State {
	lost := c.cfg.OnLost
	switch {
	case works && (c.leads || ending || lost.Ends() || lost.Parks() || c.headless):
		return sight.Running
	case works, c.leads, c.awaits, !c.seen, c.untracked: // who leads may start it anew
		return sight.Unknown
	}
	return sight.Stopped
}

// works reports whether anything of the last term's work, or of this term's, is still at work.
func (s *step) works() bool {
	states := s.states
	if s.table != nil {
		states = map[procfs.ID]byte{}
		for _, p := range s.table {
			states[p.ID] = p.State
		}
	}
	return s.scene().works(states)
}

// statesOf reads the states of those processes that have not ended.
func statesOf(processes []procfs.Process) map[procfs.ID]byte {
	states := make(map[procfs.ID]byte, len(processes))
	for _, p := range processes {
		if now, alive := p.Alive(); alive {
			states[p.ID] = now.State
		}
	}
	return states
}

var _ sight.Sight = (*Process)(nil)

// State returns what is seen of the work of the last term: the process that was there at its end, all that it had started, and what
// these have started since. It is Stopped once they are gone, or, where OnLost parks, have stopped running. While one of them works
// it is Running where OnLost is meant to end or to park it, or the pod is to end; else Unknown, as it may live on as a standby's;
// what an ended process has left behind is nobody's, and so Running. It is Unknown, too, where no process was ever found, or none in
// the handover of a term that never began here.
func (p *Process) State(ending bool) sight.State {
	v := p.watch(false)
	return v.state(v.works, ending)
}

// Kills reports whether what does not end is killed.
func (p *Process) Kills() bool { return p.cfg.Fence }

// seen is one look at the work.
type seen struct {
	scene
	works    bool
	exited   <-chan struct{} // of the held process; nil: there is none
	turned   <-chan struct{} // closed when a turn ends
	gathered time.Duration   // what it took to look for what was started meanwhile; 0: that was not done
}

// watch looks at the work. Where none is seen, or gather is set, it looks for what was started meanwhile.
func (p *Process) watch(gather bool) seen {
	p.mu.Lock()
	v := seen{scene: p.machine.scene(), turned: p.turned}
	if p.handle != nil {
		v.exited, v.headless = p.handle.Exited(), v.headless || p.handle.Ended()
	}
	p.mu.Unlock()
	states := statesOf(v.members)
	v.works = v.scene.works(states)
	if !v.seen || v.leads || v.works && !gather {
		return v
	}
	before := p.cfg.Clock.Now()
	if all, err := p.read(); err == nil { // else what is known has to do
		v.members = all.Families(ids(v.members)...)
		v.works = v.scene.works(statesOf(v.members))
		p.mu.Lock()
		p.machine.adopt(v.members)
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
	for before, first := (seen{}), true; ; first = false {
		now := p.cfg.Clock.Now()
		v := p.watch(!now.Before(gather))
		if v.gathered > 0 {
			gather = p.cfg.Clock.Now().Add(max(gatherPause, v.gathered*gatherShare))
		}
		if first || v.works != before.works || v.leads != before.leads {
			changed()
		}
		before = v
		next, exited := now.Add(lookMax), (<-chan struct{})(nil)
		if v.works && !v.leads {
			next, exited = max(gather, now.Add(glance)), v.exited
			if exited == nil || p.cfg.OnLost.Parks() {
				next = min(next, now.Add(glance))
			}
		}
		timer.Reset(next)
		select {
		case <-exited:
		case <-v.turned:
		case <-timer.C():
		case <-ctx.Done():
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
		if kill.IsZero() || !now.Before(kill.Add(p.cfg.KillMargin)) || !p.watch(false).works {
			return
		}
		timer.Reset(now.Add(strikeAgain))
		select {
		case <-timer.C():
		case <-p.abandoned:
			return
		case <-ctx.Done():
			return
		}
	}
}
