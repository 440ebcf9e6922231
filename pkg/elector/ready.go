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
	hold    *HoldState
	level   *leadership.Leadership // the newest level, for Publish and for whoever asks
	drain   *draining              // ask whether the workload has stopped
	settled bool                   // stop asking
	request *request
	watch   *watchFrom // (re)open the watch
	notes   []note
	wake    bootclock.Instant // tick at the latest then
	done    bool
	err     error // with done: why the election cannot go on
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
	// Until is the last validUntil that was published while leading: no reader that honours it believes in the
	// term after it, so the workload counts as stopped then.
	Until bootclock.Instant
}

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
