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
	// steady is how long a command must have run to count as healthy: the pause after its next end is the first one again.
	steady = time.Minute
)

// end is how a command ended that was to run.
type end struct {
	guard.End
	ran time.Duration // how long it ran
}

// Election is what the end of the command commands.
type Election interface {
	// StepDown asks for a handover. An error means that there is nothing to hand over.
	StepDown(cause string) error
	// SetHealthy says whether this replica may lead as far as the command goes, and why. It returns at once.
	SetHealthy(healthy bool, why string)
}

// endPolicy decides what follows when the command ends in its term: the replica hands over and stands by for a pause, so
// that a command which cannot start does not move leadership from replica to replica without end; or the sidecar ends. One
// goroutine uses it.
type endPolicy struct {
	election Election
	exit     func(cause error) // nil: the replica stands by
	log      *slog.Logger

	pause time.Duration     // the last one; 0: none yet
	until bootclock.Instant // the end of the pause that goes on; zero: none does
}

// ended acts on an end at the instant now.
func (p *endPolicy) ended(now bootclock.Instant, e end) {
	why := fmt.Sprintf("the command ended with status %d", e.Status)
	if e.Fault != "" {
		why = "the command cannot be started: " + e.Fault
	}
	switch {
	case e.Ordered: // the guard's deadline passed before the sidecar renewed: the command is not at fault
		_ = p.election.StepDown("the guard has stopped the command at its deadline") // an error: it leads no more
	case p.exit != nil:
		p.exit(fmt.Errorf("%s", why))
	default:
		p.pause = nextPause(p.pause, e.ran)
		p.until = now.Add(p.pause)
		p.log.Info("handing over, and standing by for a while", "reason", "CommandEnded", "detail", why, "pause", p.pause.String())
		p.election.SetHealthy(false, why)
	}
}

// expire ends the pause if it is over.
func (p *endPolicy) expire(now bootclock.Instant) {
	if !p.until.IsZero() && !now.Before(p.until) {
		p.until = 0
		p.election.SetHealthy(true, "the pause after the command's end is over")
	}
}

// nextPause returns the pause after a command that has run for so long: 1 s after the first end, twice the last pause after
// each further one, at most a minute.
func nextPause(last, ran time.Duration) time.Duration {
	if last == 0 || ran >= steady {
		return firstPause
	}
	return min(2*last, maxPause)
}

// endedInTerm hands an end to the policy, which is its goroutine's.
func (c *Child) endedInTerm(e end) {
	select {
	case c.ends <- e:
	default: // one that has not been acted on is there: leadership is given up already
	}
}

// Abandon ends the waiting of [Child.Close], now or later: what still lives is killed.
func (c *Child) Abandon() { c.abandon() }

// Close waits until the command has stopped or [Child.Abandon] is called, and ends the guard then, which kills what still
// lives. A command that is being stopped keeps its kill deadline; one that is not is stopped as at a loss. What cannot be killed
// is waited for until Abandon is called, and for one more attempt, of 5 s. Run must have returned. A further call waits for the first.
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
