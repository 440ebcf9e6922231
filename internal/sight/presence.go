package sight

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// Presence is what a sight knows that sees something of the workload come and go: a lock that it holds, a connection that
// it keeps open. It says Running while that is there, Stopped once it has been there and is gone, and Unknown before.
//
// A workload may keep it for its whole life, and live on as a standby after a loss of leadership. Presence tells that
// by the beginning: what came while this replica stood by, or before its first level, where that is no term, is no
// evidence of work under the lead. It says Unknown while it is there, and Running only when the pod ends.
type Presence struct {
	clock bootclock.Clock
	ended func()

	mu       sync.Mutex
	there    bool
	seen     bool // it has been there once
	idle     bool // it came while this replica stood by
	told     bool // there has been a level
	level    leadership.Leadership
	watchers map[int]func()
	next     int
}

// NewPresence returns a presence of nothing. Ended is called when what was there goes while this replica leads: the
// workload has crashed. It may be nil.
func NewPresence(clock bootclock.Clock, ended func()) *Presence {
	return &Presence{clock: clock, ended: ended, watchers: map[int]func(){}}
}

// Level takes note of what the workload is told. Call it before the workload is told. It does not block.
func (p *Presence) Level(l leadership.Leadership) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.told && p.there {
		p.idle = standsBy(l)
	}
	p.told, p.level = true, l
}

// standsBy reports whether a level says neither "leader" nor "draining".
func standsBy(l leadership.Leadership) bool { return !l.IsLeader && l.ValidUntil.IsZero() }

// Set takes note of what is there now. The caller calls tell, which is never nil, once it holds no lock of its own.
func (p *Presence) Set(there bool) (tell func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if there == p.there {
		return func() {}
	}
	p.there = there
	if there {
		p.seen, p.idle = true, p.told && standsBy(p.level)
	}
	concerned := slices.Collect(maps.Values(p.watchers))
	if !there && p.ended != nil && p.level.At(p.clock.Now()).IsLeader {
		concerned = append(concerned, p.ended)
	}
	return func() {
		for _, call := range concerned {
			call()
		}
	}
}

// Forget takes note that what was there can be seen no more, and may go on: the state is Unknown until [Presence.Set]
// says more.
func (p *Presence) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.there, p.seen, p.idle = false, false, false
}

// There reports whether it is there.
func (p *Presence) There() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.there
}

// State answers as [Sight] wants it.
func (p *Presence) State(ending bool) State {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.there && (ending || !p.idle):
		return Running
	case p.there, !p.seen:
		return Unknown
	}
	return Stopped
}

// Watch calls changed after each change, until ctx ends.
func (p *Presence) Watch(ctx context.Context, changed func()) {
	p.mu.Lock()
	mine := p.next
	p.next++
	p.watchers[mine] = changed
	p.mu.Unlock()
	<-ctx.Done()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.watchers, mine)
}
