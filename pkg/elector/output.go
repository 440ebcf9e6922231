package elector

import (
	"context"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// output is what the machine wants done after a step: save the hold, publish, then the rest. Nil or zero: nothing.
type output struct {
	hold        *holdWrite
	leadership  *leadership.Leadership // the newest, for Publish and for whoever asks
	endStopWait bool                   // wait no longer for the workload's stop
	stopWait    *stopWait              // wait for it, in place of any wait before
	abandoned   bool                   // the drain is over, though the workload was not seen to stop
	watch       *watchFrom             // open a watch, in place of the one before
	request     *request
	wished      string // ask who the pod of that name is
	stepDownErr error  // why the order of this step was not taken
	unready     string // why this candidate could not lead; "" where it could
	notes       []note
	wake        bootclock.Instant // tick then; zero: time alone changes nothing
	done        bool
	err         error // with done: why the election cannot go on
}

// holdWrite is a hold to write, with the number by which a failure is reported.
type holdWrite struct {
	number int
	HoldState
}

// stopWait is a [Drain] with the number of its answer.
type stopWait struct {
	number int
	Drain
}

// watchFrom asks for a watch from a version on.
type watchFrom struct {
	number  int
	version lease.Version
}

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
	number  int
	verb    verb
	record  lease.Record  // to write; unused by get
	known   lease.Version // the newest version known when it was sent
	sent    bootclock.Instant
	timeout time.Duration
	regains bool // it takes the Lease of our own term that expired
}

func (r *request) perform(ctx context.Context, store lease.Store) (lease.Record, error) {
	switch r.verb {
	case verbGet:
		return store.Get(ctx)
	case verbCreate:
		return store.Create(ctx, r.record)
	default:
		return store.Update(ctx, r.record)
	}
}
