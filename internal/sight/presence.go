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
// It is there while the workload works, by the workload's own word: so a program that keeps it for its whole life and lives
// on as a standby is waited for until the stop timeout. Nobody else could tell that from work that takes long to end.
type Presence struct {
	clock bootclock.Clock
	ended func()

	mu       sync.Mutex
	there    bool
	seen     bool // it has been there once
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

// Level takes note of what the workload is told, and reports whether that is news and no mere renewal. Call it before the
// workload is told. It does not block.
func (p *Presence) Level(l leadership.Leadership) (news bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	news = !p.told || !p.level.SameTerm(l)
	p.told, p.level = true, l
	return news
}

// Set takes note of what is there now. The caller calls tell, which is never nil, once it holds no lock of its own.
func (p *Presence) Set(there bool) (tell func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if there == p.there {
		return func() {}
	}
	p.there = there
	if there {
		p.seen = true
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
	p.there, p.seen = false, false
}

// There reports whether it is there.
func (p *Presence) There() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.there
}

// State answers as [Sight] wants it.
func (p *Presence) State(bool) State {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.there:
		return Running
	case p.seen:
		return Stopped
	}
	return Unknown
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
