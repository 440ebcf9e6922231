package elector

import (
	"log/slog"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// ready is what the machine wants done after a step, in this order: save the hold, publish, then the rest. Whatever
// is nil or zero is not wanted.
type ready struct {
	hold      *HoldState
	level     *leadership.Leadership // the newest level, for Publish and for whoever asks
	drain     *draining              // ask whether the workload has stopped
	settled   bool                   // stop asking
	abandoned bool                   // the drain is over, though the workload was not seen to stop
	request   *request
	watch     *watchFrom // (re)open the watch
	answer    error      // to a step-down: nil where the order is taken
	unready   string     // why this candidate could not lead; "" where it could
	notes     []note
	wake      bootclock.Instant // tick then; zero: time alone changes nothing
	done      bool
	err       error // with done: why the election cannot go on
}

// draining is a [Drain] with the number by which its answer is known.
type draining struct {
	number int
	Drain
}

// Drain is a handover in progress: the workload has been told to stop, and the Lease is released once it has.
type Drain struct {
	// Cause says who or what asked for the handover.
	Cause string
	// Terminating says that this process is ending too.
	Terminating bool
	// Began is when the drain did.
	Began bootclock.Instant
	// Until is the last validUntil that was published while leading, in this term or in the one that it follows: no
	// reader that honours it believes in the term after it.
	Until bootclock.Instant
	// Token is that of the last term that the workload was told, which is the drained one's unless that began too late to be
	// told: a workload that reports its stop may name the term that it speaks of.
	Token string
}

// Outcome is how the waiting for a workload's stop ended.
type Outcome int

// How it can end. The zero Outcome is that of a wait whose context ended, and is not looked at.
const (
	// WorkloadStopped: nothing of it works any more, so the Lease may be released.
	WorkloadStopped Outcome = iota + 1
	// Abandoned: it still runs, and is not waited for any longer. The Lease is neither released nor renewed: it runs out.
	Abandoned
)

type watchFrom struct{ version lease.Version }

// verb is a kind of request to the store.
type verb string

const (
	verbGet     verb = "get"
	verbCreate  verb = "create"
	verbTake    verb = "update"
	verbRenew   verb = "renew"
	verbRelease verb = "release"
)

// request is one attempt at the store. At most one is in flight.
type request struct {
	verb    verb
	record  lease.Record  // to write; unused by get
	known   lease.Version // the newest version known when it was sent
	sent    bootclock.Instant
	timeout time.Duration
}

// note is a line for the log.
type note struct {
	level slog.Level
	text  string
	attrs []slog.Attr
}
