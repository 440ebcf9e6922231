package child

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// The pauses before a replica whose command ended by itself campaigns again.
const (
	firstPause = time.Second
	maxPause   = time.Minute
	// steady is how long a command must run to count as healthy. The pause after its end is then firstPause again.
	steady = time.Minute
)

// end describes how a command ended.
type end struct {
	guard.End
	ran time.Duration // the longest run since the end by itself before; a run that a loss has ended counts
}

// Election receives the consequences of the command's end.
type Election interface {
	// StepDown asks for a handover. It fails if this replica does not lead.
	StepDown(cause string) error
	// SetHealthy says whether the command allows this replica to lead, and why. It does not block.
	SetHealthy(healthy bool, why string)
}

// endPolicy decides what follows when the command ends in its term: the sidecar ends, or the replica steps down and pauses.
// The pause keeps a command that cannot start from moving leadership between replicas without end. One goroutine uses it.
type endPolicy struct {
	election Election
	exit     func(cause error) // nil: the replica stands by
	log      *slog.Logger

	pause time.Duration     // the last pause; 0: none yet
	until bootclock.Instant // the end of the current pause; zero: none
}

func (p *endPolicy) ended(now bootclock.Instant, e end) {
	why := fmt.Sprintf("the command ended with status %d", e.Status)
	if e.Fault != "" {
		why = "the command cannot be started: " + e.Fault
	}
	switch {
	case e.Ordered: // the sidecar renewed too late: the command is not at fault
		_ = p.election.StepDown("the guard has stopped the command at its deadline") // an error means that it no longer leads
	case p.exit != nil:
		p.exit(fmt.Errorf("%s", why))
	default:
		p.pause = nextPause(p.pause, e.ran)
		p.until = now.Add(p.pause)
		p.log.Info("handing over, and standing by for a while", "reason", "CommandEnded", "detail", why, "pause", p.pause)
		p.election.SetHealthy(false, why)
	}
}

// expire ends the pause once it is over.
func (p *endPolicy) expire(now bootclock.Instant) {
	if !p.until.IsZero() && !now.Before(p.until) {
		p.until = 0
		p.election.SetHealthy(true, "the pause after the command's end is over")
	}
}

// nextPause returns 1 s after the first end or a steady run, else twice the last pause, at most one minute.
func nextPause(last, ran time.Duration) time.Duration {
	if last == 0 || ran >= steady {
		return firstPause
	}
	return min(2*last, maxPause)
}

// endedInTerm passes an end to the policy's goroutine. The lock is held.
func (c *Child) endedInTerm(e guard.End) {
	own := end{End: e, ran: c.longest}
	if !e.Ordered {
		c.longest = 0
	}
	select {
	case c.ends <- own:
	default: // an earlier end waits to be handled: leadership is given up anyway
	}
}

// Abandon makes the current or next [Child.Close] stop waiting: it kills what is still alive.
func (c *Child) Abandon() { c.abandon() }

// Close waits until the command has stopped, or [Child.Abandon] is called, then ends the guard, which kills what is still
// alive. A command that is already stopping keeps its kill deadline; any other is stopped as at a loss. Close waits for a
// process that cannot be killed until Abandon, plus one attempt of 5 s. Run must have returned. Later calls wait too.
func (c *Child) Close() { c.close() }

func (c *Child) shutDown() {
	c.mu.Lock()
	err := c.stop(leadership.Leadership{})
	g := c.guard
	c.mu.Unlock()
	if g != nil && err == nil {
		c.awaitEnd(g)
	}
	if g != nil {
		if err := g.Close(); err != nil {
			c.cfg.Log.Warn("the guard process did not end in time: it was killed, and all that it left", "reason", "GuardUnresponsive",
				"error", err)
		}
	}
	c.sweep(c.abandoned)
}

// awaitEnd waits until the command has stopped, or the guard hangs.
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
