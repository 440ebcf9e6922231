package child

import (
	"context"
	"syscall"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

const (
	// look is the pause between checks of a guard that has not taken an order.
	look = 200 * time.Millisecond
	// deafLooks is how many such checks in a row show a hanging guard. Checks are counted, not timed: if both processes were
	// frozen, elapsed time says nothing about the guard.
	deafLooks = 10
	// sweepTime bounds one attempt to kill what a guard left.
	sweepTime = 5 * time.Second
	// reopenPause is the pause before a lost guard is replaced, so that a guard which cannot run causes no busy loop.
	reopenPause = time.Second
)

// watchGuard watches the guard until ctx ends. It kills a guard that hangs. After a guard has ended, it kills everything the
// guard left and starts another one.
func (c *Child) watchGuard(ctx context.Context) {
	w := c.watch()
	defer w.timer.Stop()
	var killed *guard.Guard
	for {
		c.mu.Lock()
		g := c.guard
		c.mu.Unlock()
		if w.hangs() && g != killed {
			killed = g
			c.cfg.Log.Warn("the guard process does not answer: killing it, and the command with it", "reason", "GuardUnresponsive",
				"pid", g.PID())
			g.Kill()
		}
		w.rest()
		select {
		case <-g.Done():
			if !c.replace(ctx) {
				return
			}
			w.deaf = 0
		case <-c.attention:
		case <-w.timer.C():
		case <-ctx.Done():
			return
		}
	}
}

// watch holds the state of one watching. It sleeps while nothing is due, so an idle guard costs nothing.
type watch struct {
	*Child
	timer bootclock.Timer
	deaf  int               // checks in a row with an order not taken
	look  bootclock.Instant // the next of these checks; zero: every order is taken
}

func (c *Child) watch() *watch { return &watch{Child: c, timer: c.cfg.Clock.NewTimer()} }

// rest sets the timer to the next check: of an order not taken, or of a command that should be dead.
func (w *watch) rest() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.cfg.Clock.Now()
	next := bootclock.Instant(0)
	if w.outlives() { // also once the guard is being killed for it
		if next = w.late(); !now.Before(next) {
			next = now.Add(look)
		}
	}
	if w.report.Taken >= w.order {
		w.deaf, w.look = 0, 0
	} else {
		if w.look.IsZero() || !now.Before(w.look) { // a report must not delay the check
			w.look = now.Add(look)
		}
		if next.IsZero() || w.look.Before(next) {
			next = w.look
		}
	}
	w.timer.Reset(next)
}

// outlives reports whether something of a command that must stop is alive and was not killed.
func (c *Child) outlives() bool {
	return (c.term == "" || !c.left.IsZero()) && !c.gone() && !c.report.Killed
}

// late returns the time by which the guard must have killed a command that must stop.
func (c *Child) late() bootclock.Instant {
	if !c.left.IsZero() {
		return c.left
	}
	kill := c.ending.At
	if c.ending.Began.IsZero() { // it ended by itself, and left something
		kill = c.rule().After(c.until)
	}
	return kill.Add(c.cfg.KillMargin / 4)
}

// hangs reports whether the guard takes no orders, or has not killed what should be dead.
func (w *watch) hangs() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.report.Taken >= w.order {
		w.deaf = 0
	} else if !w.look.IsZero() && !w.cfg.Clock.Now().Before(w.look) {
		w.deaf++
	}
	overdue := w.outlives() && !w.cfg.Clock.Now().Before(w.late())
	return overdue || w.deaf >= deafLooks
}

// replace kills what a lost guard left, gives up the term, and starts another guard. It reports false if ctx ends.
func (c *Child) replace(ctx context.Context) bool {
	c.mu.Lock()
	c.guard, c.swept = nil, false
	term, begun := c.term, c.begun
	if term != "" {
		c.spent, c.term, c.status = term, "", 128+int(syscall.SIGKILL)
	}
	c.mu.Unlock()
	if !c.sweep(ctx.Done()) {
		return false
	}
	if term != "" {
		c.cfg.Log.Warn("the guard process was lost: the command was killed, and leadership is given up", "reason", "GuardLost")
		c.mu.Lock()
		c.longest = max(c.longest, c.cfg.Clock.Now().Sub(begun))
		c.endedInTerm(guard.End{Token: term, Status: 128 + int(syscall.SIGKILL), Signal: syscall.SIGKILL})
		c.mu.Unlock()
	}
	for bootclock.Sleep(ctx, c.cfg.Clock, reopenPause) == nil {
		err := c.open()
		if err == nil {
			return true
		}
		c.cfg.Log.Warn("the guard process cannot be started, trying again", "reason", "GuardNotStarted", "error", err)
	}
	return false
}

// sweep kills what a guard left until nothing of it is alive. It always makes one attempt, and none after ended is closed.
// False means that something is alive, which then counts as running.
func (c *Child) sweep(ended <-chan struct{}) bool {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), sweepTime)
		err := c.killLeft(ctx)
		cancel()
		if err == nil {
			break
		}
		c.cfg.Log.Error("what the command has left cannot be killed: no one may lead meanwhile", "reason", "KillFailed", "error", err)
		select {
		case <-ended:
			return false
		default:
		}
	}
	c.mu.Lock()
	c.swept = true
	c.progress()
	c.mu.Unlock()
	return true
}
