package elector

import (
	"context"
	"errors"
	"log/slog"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// nextRequest returns the request that is to be sent next, and when. A failed kind waits for nextTry; a leader's renewal
// never waits for anything but the request in flight.
func (m *machine) nextRequest(now moment) (verb, bootclock.Instant) {
	switch {
	case m.over, m.inflight != nil, m.terminated():
	case m.getDue:
		return verbGet, m.effort.nextTry
	case m.role == standby && !m.know.present:
		return verbCreate, m.takeAt()
	case m.role == standby:
		return verbTake, m.takeAt()
	case m.drain.workloadStopped && (m.onDisk.clear(now) || m.onDisk.believable.Before(m.term.renewAt)):
		if !m.releasable(now) {
			return verbGet, max(m.onDisk.believable, m.effort.nextTry)
		}
		return verbRelease, m.onDisk.believable // no hold on disk speaks for the term any more then (I15)
	default:
		return verbRenew, m.term.renewAt
	}
	return "", never
}

func (m *machine) requestDue(now moment) bootclock.Instant {
	_, at := m.nextRequest(now)
	return at
}

func (m *machine) sendRequest(now moment) {
	v, _ := m.nextRequest(now)
	r := &request{number: m.requests.ask(), verb: v, known: m.know.version, sent: now.boot}
	switch v {
	case verbCreate:
		r.record = m.creation()
	case verbTake:
		r.regains = m.regainable()
		r.record = m.takeover(now)
	case verbRenew:
		r.record = m.renewal(now)
	case verbRelease:
		r.record = m.release(now)
	case verbGet:
	}
	r.timeout = m.timeout(now, v)
	m.taking = m.taking || v == verbTake
	m.inflight, m.out.request = r, r
}

func (m *machine) reply(now moment, e replied) {
	r := m.inflight
	m.inflight = nil
	m.requests.answered()
	if r.verb == verbGet {
		m.getDue, m.taking, m.resuming, m.know.overtaken = false, false, false, false
	}
	absent := errors.Is(e.err, lease.ErrNotFound)
	if e.err == nil || absent || classify(e.err) == lostRace { // a store that works
		m.learn(r.verb, now.boot.Sub(r.sent), true)
	}
	switch {
	case r.verb == verbGet && absent:
		m.notFound(now, r)
	case e.err != nil:
		m.failed(now, r, e.err)
	default:
		m.succeeded(now, r, e.reply)
	}
	m.resuming = m.resuming && m.taking
}

func (m *machine) succeeded(now moment, r *request, got lease.Record) {
	m.taking = m.taking && r.verb != verbTake
	m.recovered(r.verb)
	if !m.believe(now, r, got) {
		return
	}
	m.missed(now, got)
	m.observe(now, got)
	m.reached(now, r.verb)
	if r.verb == verbGet && m.drain.workloadStopped && !r.sent.Before(m.drain.stoppedAt) {
		m.drain.read = got.Version
	}
}

// believe reports whether an answer may be taken for the Lease's state. A read that is older than what was known when it
// was sent shows a store that was restored, or one of several servers that lags: the next read decides.
func (m *machine) believe(now moment, r *request, got lease.Record) bool {
	if r.verb != verbGet {
		return true
	}
	old := got.Version.Compare(r.known) < 0
	first := old && !m.older
	m.older = first
	switch {
	case first:
		m.getDue = true
		m.debug("a read is older than what is known: reading again",
			slog.String("version", string(got.Version)), slog.String("known", string(r.known)))
		return false
	case old:
		m.restored(now, got)
		m.reached(now, r.verb)
		return false
	}
	return true
}

func (m *machine) notFound(now moment, r *request) {
	m.recovered(r.verb)
	if r.known != m.know.version {
		m.getDue = true // overtaken: something was written since the read was sent
		return
	}
	m.absent(now)
	m.reached(now, r.verb)
}

// failed takes a request that went wrong. The next read shows what became of it.
func (m *machine) failed(now moment, r *request, err error) {
	c := classify(err)
	late := errors.Is(err, context.DeadlineExceeded) || now.boot.Sub(r.sent) >= r.timeout
	if late {
		m.learn(r.verb, 0, false)
	}
	m.lapse.over = m.lapse.over || r.regains && c == lostRace // it was not carried out: the read decides
	m.effort.count(now, r.verb, c)
	m.complain(now, r.verb, c, err)
	again := now.boot.Add(m.pause(now, r.verb))
	if c == forbidden {
		m.rights.refuse(r.verb, err)
	}
	due := m.getDue
	m.getDue, m.effort.nextTry = true, 0
	switch {
	case m.role == standby && r.verb == verbGet:
		m.effort.nextTry = again
	case m.role == standby && c == forbidden:
		m.getDue, m.taking = false, false
		m.know.tryAt = now.boot.Add(m.forbiddenPause(r.verb))
	case m.role == standby:
		m.know.tryAt, m.know.raced = again, c == lostRace
		if !due && m.watches.open && !r.regains && !m.resuming && r.verb == verbTake && c == lostRace {
			m.awaitWinner(r, again)
		}
	case m.drain.workloadStopped && c == lostRace: // read again at once: the Lease may still be ours to release
	case m.drain.workloadStopped:
		m.effort.nextTry = again
	case r.verb == verbGet: // a term is at stake: renew whether or not the read worked, as the write is conditional
		m.getDue, m.term.renewAt = false, again
	case late:
		m.term.renewAt = now.boot // without a pause: what is left of the term is for the next attempt
	default:
		m.term.renewAt = again
	}
}

// awaitWinner has the watch show who was quicker, after a take that the store has refused. With many candidates most of those that
// lose a race would otherwise read at once what their watches bring anyway. The read comes at the end of the pause, before which
// nothing is tried, unless a newer version is seen: so no second take is made on the version of the first.
func (m *machine) awaitWinner(r *request, again bootclock.Instant) {
	if m.know.version != r.known { // it is known already
		m.getDue, m.taking = false, false
		return
	}
	m.effort.nextTry, m.know.overtaken = again, true
}
