package elector

import (
	"errors"
	"log/slog"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

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
		if now.boot.Before(m.effort.nextTry) {
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
	r.known, r.sent, r.timeout = m.know.version, now.boot, m.timeout(now, r.verb)
	m.inflight = r
	m.taking = m.taking || r.verb == verbTake
	return r
}

// reply takes the answer to the request in flight.
func (m *machine) reply(now moment, e replied) {
	r := m.inflight
	m.inflight = nil
	if r.verb == verbGet {
		m.getDue, m.taking, m.resuming = false, false, false
	}
	if answered(e.err) {
		m.learn(r.verb, now.boot.Sub(r.sent), true)
	}
	if e.err != nil {
		m.failed(now, r, e.err)
		m.resuming = m.resuming && m.taking
		return
	}
	m.taking = m.taking && r.verb != verbTake
	m.recovered(r.verb)
	if !m.believe(now, r, e.reply.Record) {
		return
	}
	m.missed(now, e.reply.Record)
	m.observe(now, e.reply.Record)
	m.resuming = m.resuming && m.taking
	m.reached(now, r.verb)
	if m.role == drainingRole && m.term.settled { // only what was read after the workload had stopped is blanked (I5)
		m.getDue = r.verb != verbGet || r.sent.Before(m.term.settledAt)
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
		m.note(slog.LevelDebug, "a read is older than what is known: reading again",
			slog.String("version", string(got.Version)), slog.String("known", string(r.known)))
		return false
	case old:
		m.restored(now, got)
		m.reached(now, r.verb)
		return false
	}
	return true
}

// failed takes a request that was refused, or whose outcome is open: the next read tells.
func (m *machine) failed(now moment, r *request, err error) {
	if r.verb == verbGet && errors.Is(err, lease.ErrNotFound) {
		m.recovered(r.verb)
		if r.known != m.know.version {
			m.getDue = true // overtaken: something was written since the read was sent
			return
		}
		m.absent(now)
		m.reached(now, r.verb)
		return
	}
	late := timedOut(now, r, err)
	if late {
		m.learn(r.verb, 0, false)
	}
	if errors.Is(err, lease.ErrConflict) || errors.Is(err, lease.ErrExists) {
		delete(m.effort.failures, r.verb) // a lost race: the store works
	} else {
		m.effort.fail(now, r.verb)
	}
	m.complain(r.verb, err)
	pause := m.pause(now, r.verb)
	refused := errors.Is(err, lease.ErrForbidden)
	if refused {
		m.rights.refuse(r.verb, err)
	}
	m.getDue, m.effort.nextTry = true, 0
	switch {
	case m.role == drainingRole && m.term.settled:
		if !errors.Is(err, lease.ErrConflict) {
			m.effort.nextTry = now.boot.Add(pause)
		}
	case m.role != standby: // read once, then renew again whether or not the read worked: the write is conditional
		m.getDue = r.verb != verbGet
		m.term.renewAt = now.boot.Add(pause)
		if late && r.verb != verbGet {
			m.term.renewAt = now.boot // it has waited long enough: what is left of the term is for the next one
		}
	case r.verb == verbGet:
		m.effort.nextTry = now.boot.Add(pause)
	case refused:
		m.getDue, m.taking = false, false
		m.know.tryAt = now.boot.Add(m.refusedPause(r.verb))
	default:
		m.know.tryAt = now.boot.Add(pause)
	}
}

// complain logs a failure when it is not the same as the last one of its kind; a lost race is no failure.
func (m *machine) complain(v verb, err error) {
	if errors.Is(err, lease.ErrConflict) || errors.Is(err, lease.ErrExists) {
		m.note(slog.LevelDebug, "somebody else wrote the Lease first", slog.String("verb", string(v)))
		return
	}
	if text := err.Error(); text != m.effort.troubles[v] {
		m.effort.troubles[v] = text
		m.note(slog.LevelWarn, "a request for the Lease failed: trying again", reason("RequestFailed"), slog.String("verb", string(v)), slog.Any("err", err))
	}
}

// recovered notes that a request of that kind went well. It says nothing of the others: a store may answer every read
// and refuse every write.
func (m *machine) recovered(v verb) {
	delete(m.effort.failures, v)
	m.effort.nextTry = 0
	m.rights.grant(v)
	if m.effort.troubles[v] != "" {
		delete(m.effort.troubles, v)
		m.note(slog.LevelInfo, "requests for the Lease go well again", slog.String("verb", string(v)))
	}
}
