package child

import (
	"context"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

var _ sight.Sight = (*Child)(nil)

// State returns Running until the command and all its descendants are gone, as the guard has seen by the newest order, and
// Stopped then.
func (c *Child) State(bool) sight.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone() {
		return sight.Stopped
	}
	return sight.Running
}

// Kills returns true: what has not stopped in time is killed.
func (*Child) Kills() bool { return true }

// Watch calls changed at each report of the guard, until ctx ends.
func (c *Child) Watch(ctx context.Context, changed func()) {
	for {
		c.mu.Lock()
		next := c.changed
		c.mu.Unlock()
		changed() // at first, too: what came before has been missed
		select {
		case <-next:
		case <-ctx.Done():
			return
		}
	}
}

// Status returns the exit status of the last command that ended; 0 before the first.
func (c *Child) Status() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// Abandon ends the waiting of [Child.Close], now or later: what still lives is killed.
func (c *Child) Abandon() { c.abandon() }

// Close waits until the command has stopped or [Child.Abandon] is called, and ends the guard then, which kills what still
// lives. A command that is being stopped keeps its kill deadline; one that is not is stopped as at a loss. Run must have
// returned. A further call waits for the first.
func (c *Child) Close() { c.close() }

func (c *Child) end() {
	c.mu.Lock()
	err := c.stop(leadership.Leadership{})
	g := c.guard
	c.mu.Unlock()
	if g == nil {
		return // watchGuard has swept
	}
	if err == nil {
		c.awaitEnd(g)
	}
	if err := g.Close(); err != nil {
		c.cfg.Log.Warn("the guard process did not end in time: it was killed, and all that it left", "reason", "GuardUnresponsive",
			"error", err)
	}
	c.sweep()
}

// awaitEnd waits until the command has stopped, or cannot be waited for.
func (c *Child) awaitEnd(g *guard.Guard) {
	w := c.watch()
	defer w.timer.Stop()
	for !w.hangs() {
		w.rest()
		c.mu.Lock()
		gone, changed := c.gone(), c.changed
		c.mu.Unlock()
		if gone {
			return
		}
		select {
		case <-changed:
		case <-c.attention:
		case <-w.timer.C():
		case <-g.Done():
			return
		case <-c.abandoned:
			return
		}
	}
}
