package child

import (
	"context"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/internal/sight"
)

var _ sight.Sight = (*Child)(nil)

// State returns Stopped once the guard has the latest order and the command and all its descendants are gone, else Running.
func (c *Child) State(bool) sight.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone() {
		return sight.Stopped
	}
	return sight.Running
}

// Kills returns true: the guard kills what does not stop in time.
func (*Child) Kills() bool { return true }

// Watch calls changed at each report of the guard, until ctx ends.
func (c *Child) Watch(ctx context.Context, changed func()) {
	for {
		c.mu.Lock()
		next := c.changed
		c.mu.Unlock()
		changed() // at first too: an earlier change may have been missed
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

// gone reports whether nothing of the command is alive, as of the latest order.
func (c *Child) gone() bool {
	if c.guard == nil {
		return c.swept
	}
	return c.report.Taken >= c.order && !c.report.Alive
}

// reported handles a report of the guard.
func (c *Child) reported(r guard.Report) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.cfg.Clock.Now()
	if e := r.Ended; e != nil && (c.report.Ended == nil || *c.report.Ended != *e) { // before the start of the next one, which may be in the same report
		c.status = e.Status
		ran := time.Duration(0)
		if e.Fault == "" {
			ran = now.Sub(c.begun)
		}
		c.cfg.Log.Info("the command has ended", "reason", "CommandEnded", "status", e.Status, "process_signal", unix.SignalName(e.Signal),
			"token", e.Token, "ordered", e.Ordered, "ran", ran, "error", e.Fault)
		c.longest = max(c.longest, ran)
		if e.Token == c.term {
			c.spent, c.term = e.Token, ""
			c.endedInTerm(*e)
		}
	}
	if r.PID != 0 && r.PID != c.report.PID {
		c.begun = now
		c.cfg.Log.Info("the command runs", "reason", "CommandStarted", "pid", r.PID, "token", c.term)
	}
	if r.PID != 0 && r.PID != c.report.PID || r.Ended != nil && r.Ended.Token == c.ran { // nothing of an earlier term was alive then
		c.left = 0
	}
	if c.report = r; c.gone() {
		c.left = 0
	}
	c.progress()
	c.attend()
}

// progress wakes every waiter for a change. The lock is held.
func (c *Child) progress() {
	close(c.changed)
	c.changed = make(chan struct{})
}
