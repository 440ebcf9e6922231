//go:build linux

package process

import (
	"log/slog"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// view is what the shell sees at one moment, and the answer to the last action.
type view struct {
	now     bootclock.Instant
	process heldView
	states  map[procfs.ID]byte // of the members that have not ended, if the fence needs them
	answer  answer
}

// heldView shows the held process. Ended is read last, as it explains every other error.
type heldView struct {
	id      procfs.ID
	state   byte
	signals procfs.Signals // of OnElected and OnLost; one blocked by every thread counts as caught, as sigwait takes it
	err     error          // why the signals could not be read
	ended   bool
}

// answer is the result of an action.
type answer struct {
	of   kind
	look look
	errs []error // of arming the guard, or one per signal
}

// look is the result of reading /proc.
type look struct {
	table     procfs.Table
	err       error            // the table could not be read
	found     procfs.Process   // the target, if it was looked for
	namesakes []procfs.Process // the processes of the target's name
	findErr   error            // why no process was found
	took      time.Duration    // processor time
}

type kind int

const (
	nothing    kind = iota
	lookNow         // read the process table, and find the target where find is set
	viewNow         // give a new view: another process is held
	armGuard        // give the guard the order; the zero order: take back what it has
	sendSignal      // send signo to each process
)

func (k kind) String() string { return [...]string{"nothing", "look", "view", "arm", "signal"}[k] }

// purpose says why a signal is sent.
type purpose int

const (
	forGain     purpose = iota // this replica leads
	forLoss                    // it does not
	forRepeat                  // the same once more
	forStrays                  // what an ended process left behind is to end
	forDeadline                // the kill deadline has passed
)

// action is one step for the shell to carry out.
type action struct {
	kind  kind
	find  bool
	order procfs.Order
	fence bool // the order is for the time after the term
	signo Signo
	to    []procfs.Process

	purpose   purpose
	notice    notice
	overtaken bool // a gain was pending when the loss was sent
	busy      bool // the process was busy when the loss was repeated
}

// output is what the machine wants done. Without an action, call decide again at next, or when something happens.
type output struct {
	action  action
	wait    bootclock.Instant // when the turn continues; zero: it has ended
	next    bootclock.Instant // zero: never
	failure error             // why the newest leadership is not applied
	turned  bool              // a turn has ended
	crashed bool              // the process has ended while this replica leads
	records []record
}

// record is one log line.
type record struct {
	level   slog.Level
	message string
	args    []any
}
