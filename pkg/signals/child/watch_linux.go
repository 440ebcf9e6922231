package child

import (
	"context"
	"syscall"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

const (
	// look is the pause between looks at a guard that has an order to take.
	look = 200 * time.Millisecond
	// deafLooks is the number of looks in a row at which an order may not have been taken. They are counted, not timed: when both
	// processes were frozen, this one must not judge the other by the clock.
	deafLooks = 10
	// sweepTime bounds the killing of what a guard has left, before it is tried again.
	sweepTime = 5 * time.Second
	// reopenPause is the pause before a lost guard is replaced, so that one which cannot live does not spin.
	reopenPause = time.Second
)

// watchGuard watches the guard until ctx ends. A guard that hangs is killed. When a guard has ended, all that it left is
// killed, and another guard is started.
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

// watch is what watches a guard. It sleeps while nothing is due: an idle guard costs nothing.
type watch struct {
	*Child
	timer bootclock.Timer
	deaf  int               // looks in a row at which an order had not been taken
	look  bootclock.Instant // the next of these looks; zero: every order has been taken
}

func (c *Child) watch() *watch { return &watch{Child: c, timer: c.cfg.Clock.NewTimer()} }

// rest sets the timer for what is due next: a look at an order that has not been taken, or at a command that should be dead.
func (w *watch) rest() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.cfg.Clock.Now()
	next := bootclock.Instant(0)
	if w.outlives() { // a guard that is being killed for it is looked at again
		if next = w.late(); !now.Before(next) {
			next = now.Add(look)
		}
	}
	if w.report.Taken >= w.order {
		w.deaf, w.look = 0, 0
	} else {
		if w.look.IsZero() || !now.Before(w.look) { // a report must not put a look off
			w.look = now.Add(look)
		}
		if next.IsZero() || w.look.Before(next) {
			next = w.look
		}
	}
	w.timer.Reset(next)
}

// outlives reports whether something of a command that is to stop lives and was not killed.
func (c *Child) outlives() bool { return c.term == "" && !c.gone() && !c.report.Killed }

// late returns when a command that is to stop must have been killed by its guard.
func (c *Child) late() bootclock.Instant {
	kill := c.ending.At
	if c.ending.Began.IsZero() { // it has ended by itself, and left something
		kill = c.rule().After(c.until)
	}
	return kill.Add(c.cfg.KillMargin / 4)
}

// hangs reports whether the guard cannot be relied on: it takes no orders, or has not killed what should be dead.
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

// replace kills what a lost guard has left, gives the term up, and starts another guard. It reports false when ctx ends.
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
		c.endedInTerm(end{
			End: guard.End{Token: term, Status: 128 + int(syscall.SIGKILL), Signal: syscall.SIGKILL},
			ran: c.cfg.Clock.Now().Sub(begun),
		})
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

// sweep kills what a guard has left, until nothing of it lives. Once ended is closed it makes no further attempt, and reports false
// where something lives: it then counts as running. The first attempt is always made.
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
