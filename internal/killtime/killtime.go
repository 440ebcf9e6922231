// Package killtime computes when a workload that must stop is killed.
//
// It promises a deadline early enough that no other replica works beside the workload: half a kill margin after the last
// instant until which this replica may hold the Lease (I11), and in a planned stop no later than the stop timeout. It does
// not promise that killing is quick: the other half of the margin is for that.
//
//	a loss:      last validUntil ── half a margin ──▶ killed
//	a handover:  begin ── the drain's validUntil + half a margin, at most the stop timeout ──▶ killed
package killtime

import (
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// Rule holds the parameters of the deadlines.
type Rule struct {
	// StopTimeout is how long a workload has to stop in a planned handover, while the Lease is renewed.
	StopTimeout time.Duration
	// KillMargin is the election's: nothing of the workload may be alive so long after validUntil.
	KillMargin time.Duration
}

// After returns when a workload that may work until the given instant is killed.
func (r Rule) After(until bootclock.Instant) bootclock.Instant { return until.Add(r.KillMargin / 2) }

// Stop is the end of one term's workload. The zero Stop is of a workload that is not stopping.
type Stop struct {
	// Began is when it was first asked to stop; zero: not yet.
	Began bootclock.Instant
	// At is when it is killed.
	At bootclock.Instant

	planned bool // it stops for a handover, and the Lease may still be renewed
}

// Next returns the stop after s when l, a leadership that does not lead, is published at the instant now. until is the
// term's last validUntil.
//
// In a planned stop the replica still holds the Lease, and l carries the drain's validUntil. Each renewal moves the deadline;
// when renewals fail, the last one stands. A term lost without a handover ends by its own last validUntil, whatever comes later.
func (r Rule) Next(s Stop, now, until bootclock.Instant, l leadership.Leadership) Stop {
	switch {
	case s.Began.IsZero() && !l.Draining():
		return Stop{Began: now, At: r.After(until)}
	case s.Began.IsZero():
		s = Stop{Began: now, planned: true}
	case !s.planned:
		return s
	case !l.Draining():
		s.planned = false
		return s
	}
	s.At = max(s.At, min(s.Began.Add(r.StopTimeout), r.After(l.ValidUntil)))
	return s
}
