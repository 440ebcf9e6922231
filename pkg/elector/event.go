package elector

import (
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// moment is one reading of both clocks. Only boot decides anything; wall goes into documents and renew times.
type moment struct {
	boot bootclock.Instant
	wall time.Time
}

// event is what can happen to a candidate. Its time is the moment handed to machine.step with it, read after the
// event was received.
type event interface{ isEvent() }

type (
	// tick: time has passed.
	tick struct{}
	// replied: the request in flight ended, well or not.
	replied struct {
		reply lease.Reply
		err   error
	}
	// changed: the watch delivered a change.
	changed struct{ lease.Event }
	// watchOpened: the watch that was asked for stands.
	watchOpened struct{}
	// watchClosed: the watch ended; err is nil where the store closed it in good order.
	watchClosed struct{ err error }
	// stepDown: somebody asks for a handover.
	stepDown struct{ cause string }
	// terminate: the process is to end: hand over, then be done.
	terminate struct{}
	// abandon: wait no longer for the workload in the drain with that number, in whichever for 0: the Lease is neither
	// released nor renewed.
	abandon struct{ drain int }
	// holdFailed: the hold that the last step wanted saved could not be written, or not to its end.
	holdFailed struct{}
	// fitness: the workload's health says whether this candidate should lead.
	fitness struct {
		fit bool
		why string
	}
	// settled: the workload has been seen to stop, in the drain with that number.
	settled struct{ drain int }
)

func (tick) isEvent()        {}
func (replied) isEvent()     {}
func (changed) isEvent()     {}
func (watchOpened) isEvent() {}
func (watchClosed) isEvent() {}
func (stepDown) isEvent()    {}
func (terminate) isEvent()   {}
func (abandon) isEvent()     {}
func (holdFailed) isEvent()  {}
func (fitness) isEvent()     {}
func (settled) isEvent()     {}
