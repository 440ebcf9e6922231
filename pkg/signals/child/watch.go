package child

import (
	"context"
	"syscall"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

const (
	// look is the pause between looks at a guard that has an order to hear.
	look = 200 * time.Millisecond
	// deafLooks is the number of looks in a row at which an order may lie unheard. They are counted, not timed: when both
	// processes were frozen, this one must not judge the other by the clock.
	deafLooks = 10
	// sweepTime bounds the killing of what a guard has left, before it is tried again.
	sweepTime = 5 * time.Second
	// reopenPause is the pause before a lost guard is replaced, so that one which cannot live does not spin.
	reopenPause = time.Second
)

// Run watches the guard until ctx ends: one that has died is replaced, after all that it left was killed, and one that
// hangs is killed first.
func (c *Child) Run(ctx context.Context) {
	w := c.watch()
	defer w.timer.Stop()
	var condemned *guard.Guard
	for {
		c.mu.Lock()
		g := c.guard
		c.mu.Unlock()
		if w.hangs() && g != condemned {
			condemned = g
			c.cfg.Log.Warn("the guard process does not answer: killing it, and the command with it", "pid", g.PID())
			g.Kill()
		}
		w.rest()
		select {
		case <-g.Done():
			if !c.replace(ctx) {
				return
			}
			w.deaf = 0
		case <-c.poke:
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
	deaf  int               // looks in a row at which an order lay unheard
	look  bootclock.Instant // the next of these looks; zero: every order has been heard
}

func (c *Child) watch() *watch { return &watch{Child: c, timer: c.cfg.Clock.NewTimer()} }

// rest sets the timer for what is due next: a look at an order that has not been heard, and at a program that should be dead.
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
		if w.look.IsZero() || !now.Before(w.look) { // news must not put a look off
			w.look = now.Add(look)
		}
		if next.IsZero() || w.look.Before(next) {
			next = w.look
		}
	}
	w.timer.Reset(next)
}

// outlives reports whether something of a program that is to stop lives and was not killed.
func (c *Child) outlives() bool { return c.term == "" && !c.gone() && !c.report.Killed }

// late returns when a program that was told to stop must have been killed by its guard.
func (c *Child) late() bootclock.Instant {
	kill := c.ending.At
	if c.ending.Began.IsZero() { // it has ended by itself, and left something
		kill = c.rule().After(c.until)
	}
	return kill.Add(c.cfg.KillMargin / 4)
}

// hangs reports whether the guard is not to be relied on: it does not hear, or the program has outlived the fence.
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
	c.sweep()
	if term != "" {
		c.cfg.Log.Warn("the guard process was lost: the command was killed, and leadership is given up")
		c.cfg.Ended(End{
			End: guard.End{Token: term, Status: 128 + int(syscall.SIGKILL), Signal: syscall.SIGKILL},
			Ran: c.cfg.Clock.Now().Sub(begun),
		})
	}
	for {
		timer := time.NewTimer(reopenPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false
		}
		err := c.open()
		if err == nil {
			return true
		}
		c.cfg.Log.Warn("the guard process cannot be started, trying again", "error", err)
	}
}

// sweep kills what a lost guard has left, until nothing of it lives.
func (c *Child) sweep() {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), sweepTime)
		err := guard.Sweep(ctx)
		cancel()
		if err == nil {
			break
		}
		c.cfg.Log.Error("what the command has left cannot be killed: no one may lead meanwhile", "error", err)
	}
	c.mu.Lock()
	c.swept = true
	c.progress()
	c.mu.Unlock()
}

// Close waits until the program has stopped, or ctx ends, and ends the guard then, which kills what still lives. A program
// that was told to stop before keeps its kill deadline; one that was not is stopped as at a loss. Run must have returned.
func (c *Child) Close(ctx context.Context) error {
	c.mu.Lock()
	err := c.stop(leadership.Leadership{})
	g := c.guard
	c.mu.Unlock()
	if g == nil {
		return nil // Run has swept
	}
	if err == nil {
		c.awaitEnd(ctx, g)
	}
	err = g.Close()
	c.sweep()
	return err
}

// awaitEnd waits until the program has stopped, or cannot be waited for.
func (c *Child) awaitEnd(ctx context.Context, g *guard.Guard) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stopped := make(chan error, 1)
	go func() { stopped <- c.awaitStop(ctx) }()
	w := c.watch()
	defer w.timer.Stop()
	for over := false; !over && !w.hangs(); {
		w.rest()
		select {
		case <-stopped:
			return
		case <-g.Done():
			over = true
		case <-c.poke:
		case <-w.timer.C():
		}
	}
	cancel()
	<-stopped
}
