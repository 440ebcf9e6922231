package process

import (
	"slices"
	"strconv"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/killtime"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// A process that was told to end gets no gain: it may take the gain first, work for milliseconds, start workers, and end then.
// The gain is for the process that follows it.

// dismisses reports whether a process that is told the loss is not to live on.
func (c Config) dismisses() bool { return c.OnLost.Ends() || c.Fence }

// survival is how long a process has to end before it counts as one that does not act on its stop.
func (c Config) survival() time.Duration { return max(c.StopTimeout, busyMax) }

// departs reports whether something that was told to end still lives, so that a new term has to wait for it. With a fence that is
// all that the fence is to kill. Without one it is the process, until it has outlived its stop.
func (p *Process) departs() bool {
	if p.cfg.Fence && !p.kill.IsZero() && p.anyWorks() {
		p.say("what was told to end still lives: a gain waits for its end", p.work[0])
		return true
	}
	h := p.held
	if h == nil || h.dismissed.IsZero() || h.ended() {
		return false
	}
	if p.cfg.Fence || !p.outlived() {
		p.say("the process was told to end: a gain waits for the process that follows it", h.entry)
		return true
	}
	p.cfg.Log.Warn("the process was told to end and lives on: telling it that it leads", "reason", "ProcessOutlivedStop",
		"pid", h.pid, "command", h.comm, "process_signal", p.cfg.OnLost.String(), "waited", p.cfg.Clock.Now().Sub(h.dismissed).String())
	h.dismissed = 0
	return false
}

// outlived reports whether the process has taken the stop, and lived on for long. One that was frozen has its time from then on.
func (p *Process) outlived() bool {
	h, now := p.held, p.cfg.Clock.Now()
	if now.Before(h.dismissed.Add(p.cfg.survival())) {
		return false
	}
	m, err := readMasks(strconv.Itoa(h.pid))
	if err != nil || p.cfg.OnLost.in(m.pending) {
		h.dismissed = now
		return false
	}
	return true
}

// departed returns when to look again whether a term has to wait.
func (p *Process) departed() bootclock.Instant {
	if h := p.held; h != nil && !h.dismissed.IsZero() && !p.cfg.Fence { // its end comes as an event
		return h.dismissed.Add(p.cfg.survival())
	}
	return p.cfg.Clock.Now().Add(takenPause)
}

// say logs once for each term why nobody is told.
func (p *Process) say(why string, e entry) {
	if p.awaited != p.level.Token {
		p.awaited = p.level.Token
		p.cfg.Log.Info("nobody is told of the term yet", "why", why, "reason", "ProcessEnding", "pid", e.pid, "command", e.comm, "token", p.level.Token)
	}
}

// dismissedByGuard notes that the guard has told the process to end, and keeps the guard's kill deadline.
func (p *Process) dismissedByGuard(now bootclock.Instant) {
	if !p.cfg.dismisses() {
		return
	}
	p.held.dismissed = now
	p.leads, p.work = false, p.kin
	if p.cfg.Fence {
		p.kill, p.stop = p.order.Kill, killtime.Stop{Began: p.order.Deadline, At: p.order.Kill}
	}
}

// enlist adds the process and all that it has started to what is to end. Where it is of no term that we know, a fence gives it half
// a kill margin from now.
func (p *Process) enlist() {
	if p.cfg.Fence && p.held.led.IsZero() && p.kill.IsZero() {
		p.kill = p.cfg.Clock.Now().Add(p.cfg.KillMargin / 2)
	}
	p.enroll()
}

// enroll adds the process and all that it has started to the work whose end is the stop.
func (p *Process) enroll() {
	for _, e := range p.kin {
		if !slices.ContainsFunc(p.work, e.same) {
			p.work = append(p.work, e)
		}
	}
}

// follows reports whether the process has come after those that the fence is to kill, and was told nothing.
func (p *Process) follows() bool {
	return p.held != nil && p.held.dismissed.IsZero() && !slices.ContainsFunc(p.work, p.held.same)
}

// condemned returns what the fence is to kill.
func (p *Process) condemned() []entry {
	if p.follows() {
		return p.work
	}
	return p.kin
}
