// Package leadership holds what a candidate knows of its election at one instant, the JSON document that carries it to the
// workload, and a reader of the signal directory that fails closed. It imports the standard library and the boot clock alone,
// so that workloads in Go may use it too.
//
// It promises that a [Leadership] judged at an instant ([Leadership.At]) leads only before its validUntil, and that [Read]
// returns one that leads only from a whole document of this boot. It does not promise that a caller who acts later still
// leads: guard writes with the token.
package leadership

import (
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// Leadership is what one candidate knows of its election at one instant. It is a state, not a change: the newest value
// replaces all older ones, and a reader who missed some has missed nothing.
type Leadership struct {
	// Lease and Namespace name the Lease object.
	Lease, Namespace string
	// Identity is this candidate's own, as it writes it into the Lease: name, "_", UUID.
	Identity string
	// IsLeader says that this candidate led when the value was made. Judge it with At before acting on it.
	IsLeader bool
	// Leader is the name part of the last observed holder whose term has not expired, else "".
	Leader string
	// LeaderUntil is when the observed holder's term expires for this observer; zero: unknown. Not in the document.
	LeaderUntil bootclock.Instant
	// Token is the term's fencing token, a decimal number of any length that rises strictly from term to term; "" unless leading.
	// A changed token is a new term.
	Token string
	// Transitions counts the terms that the Lease has seen, as the Lease records them.
	Transitions int64
	// Since is the wall-clock time at which the term began; zero unless leading.
	Since time.Time
	// ValidUntil is the instant at which the term ends unless it is renewed; zero: none. While draining (IsLeader false) the
	// workload must have stopped by then.
	ValidUntil bootclock.Instant
	// ValidUntilWall is ValidUntil on the wall clock, when the value was made. Approximate: the wall clock can be stepped.
	ValidUntilWall time.Time
	// BootID names the boot whose clock ValidUntil is on.
	BootID string
	// Observed is the instant at which the fact behind the value became known (a reply, a watch event, a deadline); zero:
	// unknown. Latencies count from it. Not in the document.
	Observed bootclock.Instant
}

// At returns l as it is at now, an instant of this boot's clock. A term that has run out, or has no end, is no leadership; a
// holder whose term has run out is not the leader.
func (l Leadership) At(now bootclock.Instant) Leadership {
	endless := l.IsLeader && l.ValidUntil.IsZero()
	over := !l.ValidUntil.IsZero() && !now.Before(l.ValidUntil)
	if endless || over {
		l = l.ended()
	}
	if !l.IsLeader && !l.LeaderUntil.IsZero() && !now.Before(l.LeaderUntil) {
		l.Leader, l.LeaderUntil = "", 0
	}
	return l
}

// Draining reports whether the workload must stop by ValidUntil: in a handover, or after a term that was not resumed.
func (l Leadership) Draining() bool { return !l.IsLeader && !l.ValidUntil.IsZero() }

// ended returns l without its term.
func (l Leadership) ended() Leadership {
	if l.IsLeader {
		l.Leader, l.LeaderUntil = "", 0
	}
	l.IsLeader, l.Token, l.Since = false, "", time.Time{}
	l.ValidUntil, l.ValidUntilWall = 0, time.Time{}
	return l
}

// SameTerm reports whether l and m differ at most in their validity, as the renewals of one term do.
func (l Leadership) SameTerm(m Leadership) bool {
	return l.IsLeader == m.IsLeader && l.Token == m.Token && l.Leader == m.Leader &&
		l.Transitions == m.Transitions && l.Lease == m.Lease && l.Namespace == m.Namespace && l.Identity == m.Identity
}
