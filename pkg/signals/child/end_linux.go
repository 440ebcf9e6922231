package child

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
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
