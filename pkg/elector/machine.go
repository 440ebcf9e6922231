package elector

import (
	"fmt"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// role is what a candidate is doing.
type role int

const (
	standby role = iota
	leading
	draining
)

// String names the role as logs and transcripts do.
func (r role) String() string { return [...]string{"standby", "leading", "draining"}[r] }

// machine is the election for one candidate, a pure state machine: [machine.step] takes one [event] and returns one [output],
// and chance comes from rand. Its files:
//
//	event.go       what can happen, and which answers count
//	output.go      what the machine wants done
//	notes.go       what the machine logs, and why a term ended
//	ladder.go      what time makes due, in which order, and whether the clocks can be trusted
//	requests.go    the next request, and what follows its answer
//	effort.go      how long a request may take, what its failure says, and when to try again
//	observe.go     what is known of the Lease
//	watching.go    whether the watch still lives
//	campaign.go    when a standby takes the Lease, and what it says of its waiting
//	term.go        leading: becomeLeader, renewals, becomeStandby, loss
//	succession.go  who should lead next
//	drain.go       handing over: what asks for it, beginDrain, the workload's stop, the release
//	inherit.go     the term of the process before in this pod
//	lapse.go       the term of this process that expired, and its Lease that nobody has taken
//	hold_disk.go   what the hold file makes a restarted process believe
//	twins.go       another process that writes the same identity
//	rights.go      whether this candidate could lead at all
//	leadership.go  what is published and what is written to the hold
type machine struct {
	cfg    Config // its Identity changes when another process writes the same one
	bootID string
	rand   func() float64 // evenly from [0, 1)

	// What is known, for as long as the candidate lives.
	know   knowledge
	watch  watching
	effort effort
	rights rights
	twins  twins
	onDisk holdOnDisk
	drift  drift

	// One term. [machine.reset] ends both.
	role  role
	term  term
	drain drain

	// What outlives a term, each until its own end.
	lapse        lapse             // until the Lease is taken, by whomever
	ending       ending            // until a new term is asked for
	workload     workload          // until the workload is seen to have stopped
	cooldown     cooldown          // until the next release
	succession   succession        // the preference for ever, what concerns a wish until the term ends
	inherited    *inherited        // until the Lease decides
	droppedUntil bootclock.Instant // until a term begins: the end of a predecessor's term that was not resumed

	sent      map[int64]bootclock.Instant // renew time in Unix microseconds → when that write left
	lastRenew time.Time                   // the last renew time that was written, for fresh
	taking    bool                        // a take has left and its outcome is not known
	resuming  bool                        // and that take resumes a predecessor's term

	unhealthy   bool // the workload's health speaks against leading
	leaving     bool // its pod is about to end
	terminating bool
	over        bool
	overErr     error

	requests, watches, waits, saves question
	inflight                        *request
	getDue                          bool // a read is wanted as soon as nothing is in flight
	older                           bool // the last read was older than what was known: the next one decides

	published leadership.Leadership
	saved     HoldState
	out       output
}

// newMachine returns a candidate that has read nothing yet. Hold is what a predecessor left, or nil.
func newMachine(cfg Config, bootID string, hold *HoldState, rand func() float64) *machine {
	m := &machine{cfg: cfg, bootID: bootID, rand: rand, sent: map[int64]bootclock.Instant{}, getDue: true}
	m.watch.patience = rand()
	m.effort.failures, m.effort.troubles = map[verb]streak{}, map[verb]complaint{}
	m.rights.denied = map[verb]string{}
	if hold != nil {
		m.saved = *hold
		m.workload = workload{hold.ValidUntil, hold.Token} // whether or not it was being handed over: nobody has seen the workload stop
		if hold.Leading {
			m.inherited = &inherited{HoldState: *hold}
			m.onDisk.believable = hold.ValidUntil
			m.know.floor = lease.Version(hold.Token) // the store had reached it: one that has not was restored (I6)
		}
	}
	return m
}

// step takes one event and returns what is to be done about it.
func (m *machine) step(now moment, e event) (output, error) {
	if m.over {
		return output{}, fmt.Errorf("%w: %T after the end", errIllegal, e)
	}
	m.out = output{}
	m.climb(now, deadlines) // before anything else: no event may find a term alive that has run out (I1)
	m.checkClocks(now)
	void, err := m.admit(e)
	if err != nil {
		return output{}, err
	}
	if !void {
		m.apply(now, e)
	}
	m.climb(now, chores)
	m.over = m.over || m.terminated()
	m.out.done, m.out.err = m.over, m.overErr
	m.out.unready = m.unready()
	m.out.wake = m.wake(now)
	return m.out, nil
}

// apply changes the state by an event that counts.
func (m *machine) apply(now moment, e event) {
	switch e := e.(type) {
	case tick:
	case replied:
		m.reply(now, e)
	case changed:
		m.change(now, e.Event)
	case watchOpened:
		m.watchOpened(now)
	case watchClosed:
		m.watchClosed(now, e.err)
	case stopWaitEnded:
		m.stopWaitEnded(now, e.outcome)
	case holdFailed:
		m.saves.answered()
		m.onDisk.failed(now, m.role)
	case stepDown:
		m.out.stepDownErr = m.stepDown(now, e.cause)
	case health:
		m.judge(now, e)
	case terminate:
		m.terminate(now)
	case prefer:
		m.succession.preference = e.Preference
	case wishAnswered:
		m.wishAnswered(now, e.Answer)
	case leave:
		m.leave()
	case abandon:
		m.abandonDrain(now)
	}
}
