package child

import (
	"context"
	"syscall"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/guard"
)

const (
	// look is the pause between looks at the guard.
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
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	deaf := 0
	for {
		c.mu.Lock()
		g := c.guard
		c.mu.Unlock()
		select {
		case <-g.Done():
			if !c.replace(ctx) {
				return
			}
			deaf = 0
		case <-ticker.C:
			if c.hangs(&deaf) {
				c.cfg.Log.Warn("the guard process does not answer: killing it, and the command with it", "pid", g.PID())
				g.Kill()
			}
		case <-ctx.Done():
			return
		}
	}
}

// hangs reports whether the guard is not to be relied on: it does not hear, or the program has outlived the fence.
func (c *Child) hangs(deaf *int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.report.Heard >= c.order {
		*deaf = 0
	} else {
		*deaf++
	}
	late := c.fence(c.until).Add(c.cfg.KillMargin / 8)
	overdue := c.term == "" && !c.gone() && !c.report.Killed && !c.cfg.Clock.Now().Before(late)
	return overdue || *deaf >= deafLooks
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

// Close waits until the program has stopped, or ctx ends, and ends the guard then, which kills what still lives. Run
// must have returned.
func (c *Child) Close(ctx context.Context) error {
	c.mu.Lock()
	err := c.stop()
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
	go func() { stopped <- c.Stopped(ctx) }()
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for deaf := 0; ; {
		select {
		case <-stopped:
			return
		case <-g.Done():
		case <-ticker.C:
			if !c.hangs(&deaf) {
				continue
			}
		}
		cancel()
		<-stopped
		return
	}
}
