package process

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/lease-sidecar/lease-sidecar/internal/killtime"
	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals"
)

// Process is the signal to one process, and sight of its end. Make it with [New]; [Process.Run] keeps looking.
type Process struct {
	cfg  Config
	wake chan struct{} // room for one: Run has something new to wait for

	mu      sync.Mutex // Apply, Run and the proof
	level   leadership.Leadership
	known   bool              // a level has come
	leads   bool              // what it said when it was looked at last
	until   bootclock.Instant // the last validUntil that came with leadership
	held    *held             // the process; nil: none
	seen    bool              // there has been one
	kin     []entry           // the process, all that it started, and its namesakes, as last seen
	work    []entry           // kin at the end of the term, and what they have started since: the stop is that they are gone
	awaits  bool              // this replica leads, and nobody is told before what was told to end is gone
	strays  bool              // what an ended process left behind has been told
	order   procfs.Order      // what the guard has; zero: nothing
	kill    bootclock.Instant // when the fence strikes; zero: not
	stop    killtime.Stop     // of the last term's work, where there is a fence
	drain   drain             // the newest, where the newest level is one's
	gained  bootclock.Instant // when a process was last told that it leads
	turned  chan struct{}     // closed, and replaced, when a level was told
	absent  string            // what was said of a process that is not there
	awaited string            // the token of the term for which a wait was logged
}

var _ signals.Signal = (*Process)(nil)

// New returns a signal that has looked for nothing yet. It fails as [Config.Validate] does.
func New(cfg Config) (*Process, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if !cfg.Target.Given() {
		return nil, errors.New("no process to tell: set --process-name or --pid-file")
	}
	return &Process{cfg: cfg, wake: make(chan struct{}, 1), turned: make(chan struct{})}, nil
}

// Name returns "process".
func (p *Process) Name() string { return "process" }

// Apply tells the process that level, unless it was told before. Where no process is found there is nobody to tell,
// which is no failure: the sidecar starts before the workload. A process that must not be signalled is one.
func (p *Process) Apply(ctx context.Context, l leadership.Leadership) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.level, p.known = l, true
	if l.IsLeader {
		p.until = max(p.until, l.ValidUntil)
	}
	now := p.cfg.Clock.Now()
	p.meet(l.At(now))
	if p.upToDate(now) {
		if p.leads {
			return p.arm(l.ValidUntil)
		}
		if p.cfg.Fence {
			p.prolong(l.At(now))
			p.rouse()
		}
		return nil
	}
	defer p.rouse()
	return p.turn(ctx)
}

// upToDate reports whether the process is there and has been told: then a level is but a renewal.
func (p *Process) upToDate(now bootclock.Instant) bool {
	if p.held != nil && p.held.told.leading && due(p.order, now) {
		// The guard was faster than the news, and has told it the loss.
		p.held.told, p.held.handled = told{}, now.Add(gainAfterLoss)
		p.dismissedByGuard(now)
	}
	l := p.level.At(now)
	return p.held != nil && p.leads == l.IsLeader && p.held.told == asTold(l) && !p.held.owed && !p.held.ended()
}

// lost is the level of a process whose replica does not lead.
var lost leadership.Leadership

func asTold(l leadership.Leadership) told {
	return told{something: true, leading: l.IsLeader, token: l.Token}
}

// turn looks for the process and tells it the level as it stands now.
func (p *Process) turn(ctx context.Context) error {
	defer p.shift()
	p.awaits = false
	err := p.look()
	if p.held != nil {
		p.held.heldBack = false
	}
	l := p.level.At(p.cfg.Clock.Now())
	if l.IsLeader {
		if p.rise() && err == nil {
			return p.tellElected(ctx, l)
		}
		return p.miss(err)
	}
	p.fall(l)
	// A held process is told the loss even when it is not the only one any more.
	return errors.Join(p.tellLost(), p.miss(err))
}

// miss passes on why no process was found, but for the plain absence, which it logs when that changes.
func (p *Process) miss(err error) error {
	if err == nil {
		p.absent = ""
		return nil
	}
	if !errors.Is(err, errNone) {
		return fmt.Errorf("find the %s: %w", p.cfg.Target, err)
	}
	switch {
	case p.leads && p.absent != "leading":
		p.absent = "leading"
		p.cfg.Log.Warn("leading, and there is no process to tell", "target", p.cfg.Target.String(), "error", err)
	case p.absent == "":
		p.absent = "standby"
		p.cfg.Log.Info("no process to tell yet", "target", p.cfg.Target.String())
	}
	return nil
}

// rise notes the beginning of a term. It reports false where the term must wait for what was told to end before it: that keeps
// its kill deadline.
func (p *Process) rise() bool {
	switch {
	case p.leads:
		return true
	case p.departs():
		p.awaits = true
		return false
	}
	p.leads, p.work, p.kill, p.strays = true, nil, 0, false
	p.stop, p.drain = killtime.Stop{}, drain{}
	return true
}

// fall notes the end of a term: what belonged to the workload must be gone before another replica may begin.
func (p *Process) fall(l leadership.Leadership) {
	if !p.leads {
		p.track(l)
		p.prolong(l)
		return
	}
	p.leads, p.work = false, p.kin
	if p.cfg.Fence {
		p.aim(l)
	}
}

// shift tells who watches that a level was told.
func (p *Process) shift() {
	close(p.turned)
	p.turned = make(chan struct{})
}

// tellElected sends OnElected, after the guard has got its order: a sidecar that freezes in between must not leave a
// process that leads unguarded.
func (p *Process) tellElected(ctx context.Context, l leadership.Leadership) error {
	h := p.held
	if h.told == asTold(l) {
		return p.arm(l.ValidUntil)
	}
	for _, s := range []Signo{p.cfg.OnElected, p.cfg.OnLost} { // who cannot be told the loss is not told the gain
		if s == 0 {
			continue
		}
		if err := admit(h.entry, s, p.cfg.Fence); err != nil {
			return p.unlessOver(h, err)
		}
	}
	if err := p.awaitLoss(ctx); err != nil {
		return p.unlessOver(h, err)
	}
	if err := p.arm(l.ValidUntil); err != nil {
		return err
	}
	if !l.At(p.cfg.Clock.Now()).IsLeader { // the checks may have taken long
		return errors.New("tell the process that it leads: the term ran out meanwhile")
	}
	return p.send(p.cfg.OnElected, l)
}

// tellLost sends OnLost to the process, or to what it left behind.
func (p *Process) tellLost() error {
	h := p.held
	if h == nil {
		p.tellStrays()
		p.handFence()
		return nil
	}
	if h.told != asTold(lost) {
		if p.cfg.dismisses() {
			p.enlist()
		}
		if err := p.sendLoss(); err != nil {
			return err
		}
	} else if !h.owed {
		return nil
	}
	if err := p.payLoss(); err != nil {
		return err // the guard goes on keeping the deadline
	}
	p.handFence()
	return nil
}

// send sends a signal, 0 being none, and notes what the process knows by it. A process that has ended meanwhile is as
// good as told.
func (p *Process) send(s Signo, l leadership.Leadership) error {
	h := p.held
	if s != 0 {
		if err := h.send(s); err != nil {
			return p.unlessOver(h, err)
		}
		p.cfg.Log.Info("told the process", "pid", h.pid, "command", h.comm, "process_signal", s.String(), "leading", l.IsLeader)
	}
	h.told, h.owed, h.heldBack = asTold(l), false, false
	now := p.cfg.Clock.Now()
	if l.IsLeader {
		p.gained = now
		return nil
	}
	h.handled = now.Add(gainAfterLoss)
	if p.cfg.dismisses() {
		h.dismissed = now
	}
	return nil
}

// unlessOver returns err, or nil where the process has ended, which explains any error.
func (p *Process) unlessOver(h *held, err error) error {
	if errors.Is(err, errOver) || h.ended() {
		p.bury()
		return nil
	}
	return err
}

// rouse has Run look at what there is to wait for.
func (p *Process) rouse() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Close lets go of the process, which goes on as it is, but for one that the fence waits for: it is killed now, as
// nobody would do it later. Run must have ended.
func (p *Process) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.kill.IsZero() {
		p.kill = min(p.kill, p.cfg.Clock.Now())
		p.strike()
	}
	if p.held != nil {
		p.held.close()
		p.held = nil
	}
	return nil
}
