package process

import (
	"context"
	"time"
)

// glance is the pause between looks at processes whose end does not come as an event.
const glance = 5 * time.Millisecond

// Stopped returns nil once the process that was there at the end of this replica's term has ended, with all that it
// had started, or, where OnLost parks, has stopped running. It returns ctx's error when ctx ends first.
func (p *Process) Stopped(ctx context.Context) error {
	for {
		gone, exited := p.gone()
		if gone {
			return nil
		}
		tick := time.NewTimer(glance)
		if exited != nil {
			tick.Stop()
		}
		select {
		case <-exited:
		case <-tick.C:
		case <-ctx.Done():
			tick.Stop()
			return ctx.Err()
		}
	}
}

// gone reports whether the work of the last term is over, and else the event to wait for; nil where there is none.
func (p *Process) gone() (bool, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held != nil && p.held.ended() {
		p.bury()
	}
	if p.leads || !p.seen {
		return false, nil
	}
	parks := p.cfg.OnLost.Parks()
	for _, e := range p.work {
		now, alive := e.alive()
		switch {
		case !alive, parks && now.stopped():
		case !parks && p.held != nil && p.held.same(e):
			return false, p.held.exited
		default:
			return false, nil
		}
	}
	return true, nil
}

// Alive reports whether the process of the last term runs although it was to end, and has not been killed yet: as long
// as it does, nothing may be released.
func (p *Process) Alive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.held
	return h != nil && p.cfg.OnLost.Ends() && !h.led.IsZero() && !h.killed && !h.ended()
}

// Blind reports whether no process was ever found, so that its end cannot be seen either.
func (p *Process) Blind() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.seen
}
