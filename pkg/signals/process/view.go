//go:build linux

package process

import (
	"log/slog"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// What goes into a decision, and what comes out of it.

// view is what the shell sees at one moment, and what came of the action before.
type view struct {
	now     bootclock.Instant
	process heldView
	states  map[procfs.ID]byte // of the members that have not ended, where a fence wants to know
	answer  answer
}

// heldView is the held process. Ended is read last, so that it explains every other error.
type heldView struct {
	id      procfs.ID
	state   byte
	signals procfs.Signals // of the two signals, one that every thread blocks counts as caught: it is taken by sigwait
	err     error          // why the signals could not be read
	ended   bool
}

// answer is what came of an action.
type answer struct {
	of   kind
	look look
	errs []error // of arming the guard, or of each signal
}

// look is what was read of /proc.
type look struct {
	table     procfs.Table
	err       error            // the table could not be read
	found     procfs.Process   // the target, where it was looked for
	namesakes []procfs.Process // the processes of the target's name
	findErr   error            // why no process was found
	took      time.Duration    // of a processor
}

// kind is what an action does.
type kind int

const (
	nothing    kind = iota
	lookNow         // read the process table, and find the target where find is set
	viewNow         // give a new view: another process is held
	armGuard        // give the guard the order; the zero order: take back what it has
	sendSignal      // send signo to each process
)

func (k kind) String() string { return [...]string{"nothing", "look", "view", "arm", "signal"}[k] }

// purpose is what a signal is sent for.
type purpose int

const (
	forGain     purpose = iota // this replica leads
	forLoss                    // it does not
	forRepeat                  // the same once more
	forStrays                  // what an ended process left behind is to end
	forDeadline                // the kill deadline has passed
)

// action is one thing for the shell to do.
type action struct {
	kind  kind
	find  bool
	order procfs.Order
	fence bool // the order is for after the term
	signo Signo
	to    []procfs.Process

	purpose   purpose
	notice    notice
	overtaken bool // a gain was pending when the loss was sent
	busy      bool // the process had no rest when the loss was repeated
}

// output is what the machine wants done. Where there is no action, decide is to be called again at next, or when something happens.
type output struct {
	action  action
	wait    bootclock.Instant // the turn goes on then; zero: it has ended
	next    bootclock.Instant // zero: never
	failure error             // why the newest leadership is not applied
	turned  bool              // a turn has ended
	crashed bool              // the process has ended while this replica leads
	records []record
}

// record is one line for the log.
type record struct {
	level   slog.Level
	message string
	args    []any
}
