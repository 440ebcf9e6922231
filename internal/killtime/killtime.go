// Package killtime computes when a workload that has to stop is killed, where something kills it.
//
// It promises that a workload of a term dies early enough for no other replica to work beside it: half a kill margin after the
// last instant until which this replica may hold the Lease (I11). In a planned stop it also has no longer than the stop
// timeout. It does not promise that the killing is quick: the other half of the margin is for that.
//
//	a loss:      last validUntil ── half a margin ──▶ killed
//	a handover:  begin ── the hold's validUntil + half a margin, at most the stop timeout ──▶ killed
package killtime

import (
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// Rule is what the deadlines follow from.
type Rule struct {
	// StopTimeout is how long a workload gets to stop in a planned handover, for as long as the hold is renewed.
	StopTimeout time.Duration
	// KillMargin is the election's: by so long after validUntil nothing of the workload may live.
	KillMargin time.Duration
}

// After returns when a workload is killed that may work until the instant until.
func (r Rule) After(until bootclock.Instant) bootclock.Instant { return until.Add(r.KillMargin / 2) }

// Stop is the end of one term's workload. The zero Stop is that of a workload that does not stop yet.
type Stop struct {
	// Began is when it was first to stop; zero: not yet.
	Began bootclock.Instant
	// At is when it is killed.
	At bootclock.Instant

	planned bool // it stops for a handover, and the hold may still be renewed
}

// Next returns the stop that follows s when the leadership l, which is not that of a leader, is published at the instant now.
// until is the last validUntil of the term.
//
// In a planned stop the replica hands over and holds the Lease meanwhile: l carries the hold's validUntil. Each renewal moves
// the deadline, and when renewals fail the last one stands. A term that was lost without a handover ends by its own last
// validUntil, whatever comes later.
func (r Rule) Next(s Stop, now, until bootclock.Instant, l leadership.Leadership) Stop {
	holds := !l.IsLeader && !l.ValidUntil.IsZero()
	switch {
	case s.Began.IsZero() && !holds:
		return Stop{Began: now, At: r.After(until)}
	case s.Began.IsZero():
		s = Stop{Began: now, planned: true}
	case !s.planned:
		return s
	case !holds:
		s.planned = false
		return s
	}
	s.At = max(s.At, min(s.Began.Add(r.StopTimeout), r.After(l.ValidUntil)))
	return s
}
