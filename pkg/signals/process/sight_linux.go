package process

import (
	"context"
	"slices"
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

// State returns what is seen of the work of the last term: the process that was there at its end, all that it had started,
// and what these have started since. It is Stopped once they are gone, or, where OnLost parks, have stopped running. While
// one of them works it is Running where OnLost is meant to end or to park it, or the pod is to end; else Unknown, as it may
// live on as a standby's; what an ended process has left behind is nobody's, and so Running. It is Unknown, too, where no
// process was ever found, or none in the handover of a term that this signal was never told of.
func (p *Process) State(ending bool) sight.State {
	p.mu.Lock()
	defer p.mu.Unlock()
	works := p.works()
	switch {
	case works && (p.leads || ending || p.cfg.OnLost.Ends() || p.cfg.OnLost.Parks() || p.headless()):
		return sight.Running
	case works, p.leads, p.awaits, !p.seen, p.drain.untracked(): // who leads may start it anew
		return sight.Unknown
	}
	return sight.Stopped
}

// Kills reports whether what does not end is killed.
func (p *Process) Kills() bool { return p.cfg.Fence }

// works reports whether anything of the last term's work, or of this term's, is still at work. Before it says no, it looks
// for what was started meanwhile.
func (p *Process) works() bool {
	if p.held != nil && p.held.ended() {
		p.bury()
	}
	if p.anyWorks() {
		return true
	}
	if p.seen {
		p.gather()
	}
	return p.anyWorks()
}

// headless reports whether the process of the last term is not there any more, whatever it has left behind.
func (p *Process) headless() bool {
	return p.held == nil || !slices.ContainsFunc(p.work, p.held.same)
}

func (p *Process) anyWorks() bool {
	members := p.work
	if p.leads {
		members = p.kin
	}
	parks := p.cfg.OnLost.Parks() && !p.leads
	for _, e := range members {
		if now, alive := e.alive(); alive && (!parks || !now.stopped()) {
			return true
		}
	}
	return false
}

// gather adds to the work of the last term what its processes have started since, and returns when to do so again.
func (p *Process) gather() (again bootclock.Instant) {
	before := p.cfg.Clock.Now()
	if all, err := readTable(); err == nil { // else what is known has to do
		p.work = all.families(p.work)
	}
	after := p.cfg.Clock.Now()
	return after.Add(max(gatherPause, after.Sub(before)*gatherShare))
}

// Watch looks closely at the processes of the last term until ctx ends, and calls changed when their state may be another.
func (p *Process) Watch(ctx context.Context, changed func()) {
	w := closeWatch{Process: p}
	timer := p.cfg.Clock.NewTimer()
	defer timer.Stop()
	for {
		exited, turned, next, news := w.step()
		if news {
			changed()
		}
		timer.Reset(next)
		select {
		case <-exited:
		case <-turned:
		case <-timer.C():
		case <-ctx.Done():
			return
		}
	}
}

// closeWatch is what Watch remembers from one step to the next.
type closeWatch struct {
	*Process
	begun  bool
	works  bool
	leads  bool
	gather bootclock.Instant
}

// step looks once. It returns what to wait for, until when at most, and whether the state may be another than at the last step.
func (w *closeWatch) step() (exited, turned <-chan struct{}, next bootclock.Instant, news bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.cfg.Clock.Now()
	if !w.Process.leads && w.seen && !now.Before(w.gather) {
		w.gather = w.Process.gather()
	}
	works := w.Process.works()
	news = !w.begun || works != w.works || w.Process.leads != w.leads
	w.begun, w.works, w.leads = true, works, w.Process.leads
	next, turned = now.Add(lookMax), w.turned
	if works && !w.Process.leads {
		next = w.gather
		if w.held != nil {
			exited = w.held.exited
		}
		if w.held == nil || w.cfg.OnLost.Parks() {
			next = min(next, now.Add(glance))
		}
	}
	return exited, turned, next, news
}
