package elector

import (
	"errors"
	"fmt"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// moment is one reading of both clocks. Only boot decides anything; wall goes into documents and renew times.
type moment struct {
	boot bootclock.Instant
	wall time.Time
}

// event is what can happen to a candidate. One with a number answers a question: see [machine.admit].
type event interface{ isEvent() }

type (
	// tick: time has passed.
	tick struct{}
	// replied: the request with that number ended, well or not.
	replied struct {
		number int
		reply  lease.Record
		err    error
	}
	// changed: the watch with that number delivered a change.
	changed struct {
		number int
		lease.Event
	}
	// watchOpened: the watch with that number stands.
	watchOpened struct{ number int }
	// watchClosed: the watch with that number ended; err is nil where the store closed it in good order.
	watchClosed struct {
		number int
		err    error
	}
	// stopWaitEnded: the waiting for the workload's stop with that number ended.
	stopWaitEnded struct {
		number  int
		outcome Outcome
	}
	// holdFailed: the hold with that number could not be written, or not to its end.
	holdFailed struct{ number int }

	// stepDown: somebody asks for a handover.
	stepDown struct{ cause string }
	// health: the workload's health says whether this candidate should lead.
	health struct {
		healthy bool
		why     string
	}
	// terminate: the process is to end: hand over, then be done.
	terminate struct{}
	// prefer: what is known of the members says who should lead next.
	prefer struct{ Preference }
	// wishAnswered: what is known of the pod that the Lease asks for.
	wishAnswered struct{ Answer }
	// leave: the pod is about to end: take the Lease no more.
	leave struct{}
	// abandon: wait no longer for the workload in the drain under way, if there is one.
	abandon struct{}
)

func (tick) isEvent()          {}
func (replied) isEvent()       {}
func (changed) isEvent()       {}
func (watchOpened) isEvent()   {}
func (watchClosed) isEvent()   {}
func (stopWaitEnded) isEvent() {}
func (holdFailed) isEvent()    {}
func (stepDown) isEvent()      {}
func (health) isEvent()        {}
func (terminate) isEvent()     {}
func (prefer) isEvent()        {}
func (wishAnswered) isEvent()  {}
func (leave) isEvent()         {}
func (abandon) isEvent()       {}

// question is what the machine last asked of the loop, of one kind. Its answers carry its number.
type question struct {
	number int  // of the last one; it rises
	open   bool // answers to it are expected
}

// ask puts a new question in place of the last one, and returns its number.
func (q *question) ask() int {
	q.number++
	q.open = true
	return q.number
}

// answered ends the question: no answer to it is expected any more.
func (q *question) answered() { q.open = false }

// withdraw ends the question though its answer may be under way.
func (q *question) withdraw() {
	if q.open {
		q.number++
	}
	q.open = false
}

// admit judges an answer: void to a question replaced or withdrawn, illegal to one that was never asked or is answered.
func (q *question) admit(number int) (void bool, err error) {
	switch {
	case 0 < number && number < q.number:
		return true, nil
	case number != q.number || !q.open:
		return false, fmt.Errorf("%w: number %d answers nothing", errIllegal, number)
	}
	return false, nil
}

// errIllegal marks an event that cannot happen in the state in which it came: a fault of the loop.
var errIllegal = errors.New("illegal event")

// admit reports whether an event comes too late to mean anything, and returns [errIllegal] where it cannot happen.
func (m *machine) admit(e event) (void bool, err error) {
	switch e := e.(type) {
	case replied:
		return m.requests.admit(e.number)
	case changed:
		return m.watches.admit(e.number)
	case watchOpened:
		if void, err = m.watches.admit(e.number); err == nil && !void && !m.watch.openedAt.IsZero() {
			err = fmt.Errorf("%w: watch %d is open already", errIllegal, e.number)
		}
		return void, err
	case watchClosed:
		return m.watches.admit(e.number)
	case stopWaitEnded:
		return m.waits.admit(e.number)
	case holdFailed:
		return m.saves.admit(e.number)
	case nil:
		return false, fmt.Errorf("%w: none", errIllegal)
	}
	return false, nil
}
