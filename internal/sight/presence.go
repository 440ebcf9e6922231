package sight

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// Presence is the state of a sight of something that comes and goes with the workload, such as a lock or an open connection.
// It is Running while that is there, Stopped once it was there and is gone, and Unknown before.
//
// The workload must have it only while it works. A program that also keeps it as a standby is waited for until the stop
// timeout, as it looks like one whose work takes long to end.
type Presence struct {
	cfg        PresenceConfig
	came, went Note

	mu         sync.Mutex
	there      bool
	seen       bool                   // it was there at least once
	noted      map[bool]bool          // what was logged as Info: that it came, that it went
	leadership *leadership.Leadership // the newest; nil before the first
	watchers   map[int]func()
	next       int
}

// PresenceConfig says who is notified of a [Presence]. Every field is required.
type PresenceConfig struct {
	// Clock judges whether this replica leads.
	Clock bootclock.Clock
	// Ended is called when it goes while this replica leads: the workload has crashed. It may block for a while.
	Ended func()
	// Log records when it comes and goes: as Info the first time, as Debug later.
	Log *slog.Logger
}

// Note is a log line.
type Note struct {
	// Text is the message, Reason the value to alert on.
	Text, Reason string
}

// NewPresence returns a presence of nothing, which logs came and went.
func NewPresence(cfg PresenceConfig, came, went Note) *Presence {
	return &Presence{cfg: cfg, came: came, went: went, noted: map[bool]bool{}, watchers: map[int]func(){}}
}

// Kills returns false: a lock or a connection kills nobody.
func (p *Presence) Kills() bool { return false }

// Observe takes the newest leadership, and reports whether it is the first or of another term. Call it before any signal
// applies the leadership. It does not block.
func (p *Presence) Observe(l leadership.Leadership) (transition bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	transition = p.leadership == nil || !p.leadership.SameTerm(l)
	p.leadership = &l
	return transition
}

// Set records whether it is there. The caller must call notify, which is never nil, once it holds no lock of its own.
func (p *Presence) Set(there bool) (notify func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if there == p.there {
		return func() {}
	}
	p.there, p.seen = there, p.seen || there
	p.note()
	concerned := slices.Collect(maps.Values(p.watchers))
	if !there && p.leadership != nil && p.leadership.At(p.cfg.Clock.Now()).IsLeader {
		concerned = append(concerned, p.cfg.Ended)
	}
	return func() {
		for _, call := range concerned {
			call()
		}
	}
}

func (p *Presence) note() {
	severity, note := slog.LevelDebug, p.went
	if p.there {
		note = p.came
	}
	if !p.noted[p.there] {
		severity, p.noted[p.there] = slog.LevelInfo, true
	}
	p.cfg.Log.Log(context.Background(), severity, note.Text, "reason", note.Reason) //nolint:sloglint // the texts are the sights' constants
}

// Forget records that it can no longer be seen but may be there: the state is Unknown until the next [Presence.Set].
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

// State implements [Sight].
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

// Watch calls changed at once, as an earlier change may have been missed, and after each change, until ctx ends.
func (p *Presence) Watch(ctx context.Context, changed func()) {
	p.mu.Lock()
	mine := p.next
	p.next++
	p.watchers[mine] = changed
	p.mu.Unlock()
	changed()
	<-ctx.Done()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.watchers, mine)
}
