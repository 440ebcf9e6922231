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
// comes from rand. Its rules stand in observe.go (what is known of the Lease), campaign.go (when a standby takes
// it), term.go (leading, draining, stopping) and watching.go (whether the watch still lives).
type machine struct {
	cfg    Config
	bootID string
	rand   func() float64 // evenly from [0, 1)

	know  knowledge
	term  term
	watch watching
	drift drift

	role        role
	inherited   *inheritance
	sent        map[int64]bootclock.Instant // renew time in Unix microseconds → when that write left
	lastRenew   time.Time                   // the last renew time that was written, for fresh
	taking      bool                        // a take has left and its outcome is not known
	terminating bool
	over        bool
	overErr     error

	inflight *request
	getDue   bool              // a read is wanted as soon as nothing is in flight
	nextTry  bootclock.Instant // no request of a kind that failed before then
	failures int               // requests failed in a row
	trouble  string            // the last failure, as last logged

	published leadership.Leadership
	saved     HoldState
	out       ready
}

// newMachine returns a candidate that has read nothing yet. Hold is what a predecessor left, or nil.
func newMachine(cfg Config, bootID string, hold *HoldState, rand func() float64) *machine {
	m := &machine{cfg: cfg, bootID: bootID, rand: rand, sent: map[int64]bootclock.Instant{}, getDue: true}
	if hold != nil {
		m.saved = *hold
		if hold.Leading {
			m.inherited = &inheritance{HoldState: *hold}
		}
	}
	return m
}

// step takes one event and returns what is to be done about it.
func (m *machine) step(now moment, e event) (ready, error) {
	m.out = ready{}
	m.expire(now) // before anything else: no event may find a term alive that has run out (I1)
	if m.drift.local(now) && m.role != standby {
		m.term.renewAt = now.boot
		m.note(slog.LevelWarn, "wall clock and boot clock moved apart: renewing to see whether this machine was paused")
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
		if m.role == leading {
			m.drain(now, e.cause)
		}
	case terminate:
		m.terminate(now)
	case hurry:
		m.hurry(now)
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
		m.stop(now, "the term ran out: no renewal was answered in time")
	}
	if m.inherited != nil && !now.boot.Before(m.inherited.ValidUntil) {
		m.disown("its term ran out before the Lease could be read")
	}
}

// next picks the request to send now, if any. A failed kind waits for nextTry; a leader's renewal never waits for
// anything but the request in flight.
func (m *machine) next(now moment) *request {
	if m.inflight != nil {
		return nil
	}
	var r *request
	switch {
	case m.terminating && m.role == standby && !m.taking:
		return nil
	case m.getDue:
		if now.boot.Before(m.nextTry) {
			return nil
		}
		r = &request{verb: verbGet}
	case m.role == standby:
		r = m.campaign(now)
	default:
		r = m.tend(now)
	}
	if r == nil {
		return nil
	}
	r.known, r.sent, r.timeout = m.know.version, now.boot, m.cfg.attempt()
	if m.role != standby {
		r.timeout = min(r.timeout, m.term.validUntil.Sub(now.boot))
	}
	m.inflight = r
	m.taking = m.taking || r.verb == verbTake
	return r
}

// reply takes the answer to the request in flight.
func (m *machine) reply(now moment, e replied) {
	r := m.inflight
	m.inflight = nil
	if r.verb == verbGet {
		m.getDue, m.taking = false, false
	}
	if e.err != nil {
		m.failed(now, r, e.err)
		return
	}
	m.taking = m.taking && r.verb != verbTake
	m.recovered()
	m.compareDates(now, r, e.reply.Date)
	if r.verb == verbGet && e.reply.Record.Version.Compare(r.known) < 0 {
		m.restored(now, e.reply.Record)
		return
	}
	m.observe(now, e.reply.Record)
	if r.verb == verbGet && m.role == drainingRole && m.term.settled {
		m.getDue = r.sent.Before(m.term.settledAt) // read before the workload had stopped: read again (I5)
	}
}

// failed takes a request that was refused, or whose outcome is open: the next read tells.
func (m *machine) failed(now moment, r *request, err error) {
	if r.verb == verbGet && errors.Is(err, lease.ErrNotFound) {
		m.recovered()
		if r.known != m.know.version {
			m.getDue = true // overtaken: something was written since the read was sent
			return
		}
		m.absent(now)
		return
	}
	m.failures++
	m.complain(r.verb, err)
	pause := m.pause()
	refused := errors.Is(err, lease.ErrForbidden)
	m.getDue, m.nextTry = true, 0
	switch {
	case m.role == drainingRole && m.term.settled:
		if !errors.Is(err, lease.ErrConflict) {
			m.nextTry = now.boot.Add(pause)
		}
	case m.role != standby: // read once, then renew again whether or not the read worked: the write is conditional
		m.getDue = r.verb != verbGet
		m.term.renewAt = now.boot.Add(pause)
	case r.verb == verbGet:
		m.nextTry = now.boot.Add(pause)
	case refused: // somebody must mend the Role, or make the Lease: the watch, or a later try, will tell
		m.getDue, m.taking = false, false
		m.know.tryAt = now.boot.Add(m.cfg.Duration / 3)
	default:
		m.know.tryAt = now.boot.Add(pause)
	}
}

// complain logs a failure when it is not the same as the last one; a lost race is no failure.
func (m *machine) complain(v verb, err error) {
	if errors.Is(err, lease.ErrConflict) || errors.Is(err, lease.ErrExists) {
		m.note(slog.LevelDebug, "somebody else wrote the Lease first", slog.String("verb", string(v)))
		return
	}
	if text := err.Error(); text != m.trouble {
		m.trouble = text
		m.note(slog.LevelWarn, "a request for the Lease failed: trying again", slog.String("verb", string(v)), slog.Any("err", err))
	}
}

// recovered notes that the store answers.
func (m *machine) recovered() {
	m.failures, m.nextTry = 0, 0
	if m.trouble != "" {
		m.trouble = ""
		m.note(slog.LevelInfo, "the store answers again")
	}
}

// pause returns how long to leave the store alone after a failure: short while a term is at stake, longer and longer
// for a standby, to at most 4.5 s.
func (m *machine) pause() time.Duration {
	if m.role != standby {
		return between(200*time.Millisecond, 500*time.Millisecond, m.rand())
	}
	base := 500 * time.Millisecond << min(max(m.failures-1, 0), 3)
	return between(base, base+500*time.Millisecond, m.rand())
}

// compareDates looks for a pause that the boot clock did not show. One disagreement renews at once; a second one in a
// row ends the term, and what the answer itself proves may begin a new one with a new token.
func (m *machine) compareDates(now moment, r *request, date time.Time) {
	if m.role == standby {
		m.drift.settle()
	}
	moved, confirmed := m.drift.remote(now, r.sent, date)
	switch {
	case m.role == standby || !moved:
	case confirmed:
		m.stop(now, "the store's clock shows that this machine was paused")
		m.drift.remote(now, r.sent, date) // the new baseline
	default:
		m.term.renewAt = now.boot
		m.note(slog.LevelWarn, "the store's clock and the boot clock moved apart: renewing to see whether this machine was paused")
	}
}

// settleOutput completes the step's output: what changed of the level and the hold, and when to wake.
func (m *machine) settleOutput(now moment) {
	if h := m.holdState(); h != m.saved {
		m.saved, m.out.hold = h, &h
	}
	if l := m.level(now); differs(l, m.published) {
		l.Observed = now.boot
		m.published, m.out.level = l, &l
	}
	if m.terminating && m.role == standby && !m.taking {
		m.over = true // nothing is held, and nothing under way could make it so
	}
	m.out.done, m.out.err = m.over, m.overErr
	m.out.wake = m.wake(now)
}

// wake returns the next instant at which time alone changes something, and never one too far off: a timer may stop
// in suspend, so the boot clock is looked at again and again.
func (m *machine) wake(now moment) bootclock.Instant {
	at := now.boot.Add(standbyRecheck)
	if m.role != standby || m.inherited != nil {
		at = now.boot.Add(recheck)
	}
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
	soonest(m.watch.dueAt(m))
	if m.inflight != nil {
		return at // whatever else is due waits for its reply
	}
	switch {
	case m.getDue:
		soonest(max(m.nextTry, 1))
	case m.role == standby:
		soonest(m.takeAt())
	default:
		soonest(m.term.renewAt)
	}
	return at
}

// note adds a line for the log.
func (m *machine) note(level slog.Level, text string, attrs ...slog.Attr) {
	m.out.notes = append(m.out.notes, note{level: level, text: text, attrs: attrs})
}
