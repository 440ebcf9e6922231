package elector

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// errIllegal marks an event that cannot happen in the state it came in: a fault of the loop.
var errIllegal = errors.New("illegal event")

// role is what a candidate is doing.
type role int

const (
	standby role = iota
	leading
	drainingRole
)

// String names the role as logs and transcripts do.
func (r role) String() string { return [...]string{"standby", "leading", "draining"}[r] }

// machine is the election for one candidate: a pure state machine. It has no clock, no goroutine and no log; chance
// comes from rand. Its rules stand in requests.go (one at a time), attempt.go (how long each may take, and what follows a
// failure), observe.go (what is known of the Lease), twins.go (who else writes as this candidate), inherit.go (a
// predecessor's term), campaign.go (when a standby takes the Lease), term.go and drain.go (leading, draining, stopping),
// holding.go (what the hold file says), watching.go (whether the watch still lives) and rights.go (whether this candidate
// could lead at all).
type machine struct {
	cfg    Config // its Identity changes when another process writes the same one
	bootID string
	rand   func() float64 // evenly from [0, 1)

	know    knowledge
	term    term
	watch   watching
	drift   drift
	holding holding
	twins   twins
	effort  effort
	rights  rights

	role        role
	inherited   *inheritance
	sent        map[int64]bootclock.Instant // renew time in Unix microseconds → when that write left
	lastRenew   time.Time                   // the last renew time that was written, for fresh
	taking      bool                        // a take has left and its outcome is not known
	resuming    bool                        // and it is of a predecessor's term
	unfit       bool                        // the workload's health speaks against leading
	terminating bool
	over        bool
	overErr     error

	inflight *request
	getDue   bool // a read is wanted as soon as nothing is in flight
	older    bool // the last read was older than what was known: the next one decides

	published leadership.Leadership
	saved     HoldState
	out       ready
}

// newMachine returns a candidate that has read nothing yet. Hold is what a predecessor left, or nil.
func newMachine(cfg Config, bootID string, hold *HoldState, rand func() float64) *machine {
	m := &machine{cfg: cfg, bootID: bootID, rand: rand, sent: map[int64]bootclock.Instant{}, getDue: true}
	m.effort.reset()
	m.rights.denied = map[verb]string{}
	if hold != nil {
		m.saved = *hold
		m.term.told, m.term.toldToken = hold.ValidUntil, hold.Token // whether or not it was being handed over: nobody has seen the workload stop
		if hold.Leading {
			m.inherited = &inheritance{HoldState: *hold}
			m.holding.believable = hold.ValidUntil
			m.know.floor = lease.Version(hold.Token) // the store had reached it: one that has not was restored (I6)
		}
	}
	return m
}

// step takes one event and returns what is to be done about it.
func (m *machine) step(now moment, e event) (ready, error) {
	m.out = ready{}
	m.expire(now) // before anything else: no event may find a term alive that has run out (I1)
	if m.drift.moved(now) && m.role != standby {
		m.term.renewAt = now.boot
		m.note(slog.LevelWarn, "wall clock and boot clock moved apart: renewing to see whether this machine was paused", reason("ClocksMovedApart"))
	}

	switch e := e.(type) {
	case tick:
	case replied:
		if m.inflight == nil {
			return ready{}, fmt.Errorf("%w: a reply without a request", errIllegal)
		}
		m.reply(now, e)
	case changed:
		m.change(now, e.Event)
	case watchOpened:
		m.watchOpened(now)
	case watchClosed:
		m.watchClosed(now, e.err)
	case stepDown:
		m.out.answer = m.stepDown(now, e.cause)
	case terminate:
		m.terminate(now)
	case abandon:
		m.abandon(now, e.drain)
	case holdFailed:
		m.holding.failed(now, m.role)
	case fitness:
		m.judge(now, e)
	case settled:
		if m.role == drainingRole && e.drain == m.term.drain && !m.term.settled {
			m.settle(now)
		}
	default:
		return ready{}, fmt.Errorf("%w: %T", errIllegal, e)
	}

	m.checkWatch(now)
	if !m.over {
		m.out.request = m.next(now)
	}
	m.settleOutput(now)
	return m.out, nil
}

// expire ends what has run out by now: a term, or a predecessor's.
func (m *machine) expire(now moment) {
	if m.role != standby && !now.boot.Before(m.term.validUntil) {
		m.stop(now, "RenewDeadlineExceeded", "the term ran out: no renewal was answered in time")
	}
	if m.inherited != nil && !now.boot.Before(m.inherited.ValidUntil) {
		m.disown("its term ran out before the Lease could be read and taken")
	}
}

// settleOutput completes the step's output: what changed of the level and the hold, and when to wake. Of an inherited
// term nothing is told before the Lease has confirmed it (I14): what the predecessor told stands by itself until then.
func (m *machine) settleOutput(now moment) {
	if h := m.holdState(); h != m.saved || m.holding.retryDue(now) {
		m.saved, m.out.hold = h, &h
		m.holding.writing(h)
	}
	if l := m.level(now); m.inherited == nil && differs(l, m.published) {
		l.Observed = now.boot
		m.published, m.out.level = l, &l
		if l.IsLeader {
			m.term.told, m.term.toldToken = max(m.term.told, l.ValidUntil), l.Token
		}
	}
	if m.terminating && m.role == standby && !m.taking {
		m.over = true // nothing is held, and nothing under way could make it so
	}
	m.out.done, m.out.err = m.over, m.overErr
	m.checkRights(now)
	m.out.wake = m.wake(now)
}

// wake returns the next instant at which time alone changes something; zero where nothing does.
func (m *machine) wake(now moment) bootclock.Instant {
	at := never
	soonest := func(i bootclock.Instant) {
		if !i.IsZero() && i.Before(at) {
			at = max(i, now.boot+1)
		}
	}
	if m.role != standby {
		soonest(m.term.validUntil)
	}
	if m.inherited != nil {
		soonest(m.inherited.ValidUntil)
	}
	soonest(m.published.LeaderUntil)
	if m.role == standby {
		soonest(m.published.ValidUntil)
	}
	soonest(m.holding.dueAt())
	soonest(m.watch.dueAt(m))
	soonest(m.rights.dueAt())
	switch {
	case m.inflight != nil: // whatever else is due waits for its reply
	case m.getDue:
		soonest(max(m.effort.nextTry, 1))
	case m.role == standby:
		soonest(m.takeAt())
	case m.role == drainingRole && m.term.settled:
		soonest(m.holding.clearAt())
		soonest(m.term.renewAt)
	default:
		soonest(m.term.renewAt)
	}
	if at == never {
		return 0
	}
	return at
}

// note adds a line for the log.
func (m *machine) note(level slog.Level, text string, attrs ...slog.Attr) {
	m.out.notes = append(m.out.notes, note{level: level, text: text, attrs: attrs})
}

// reason is the stable word by which a line for the log is found and alerted on.
func reason(word string) slog.Attr { return slog.String("reason", word) }
