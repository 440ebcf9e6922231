package elector

import (
	"errors"
	"log/slog"
	"time"

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
	m.recovered(r.verb)
	m.compareDates(now, r, e.reply.Date)
	if r.verb == verbGet && e.reply.Record.Version.Compare(r.known) < 0 {
		m.restored(now, e.reply.Record)
		return
	}
	m.observe(now, e.reply.Record)
	if m.role == drainingRole && m.term.settled { // only what was read after the workload had stopped is blanked (I5)
		m.getDue = r.verb != verbGet || r.sent.Before(m.term.settledAt)
	}
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
		return
	}
	if errors.Is(err, lease.ErrConflict) || errors.Is(err, lease.ErrExists) {
		delete(m.failures, r.verb) // a lost race: the store works
	} else {
		m.failures[r.verb]++
	}
	m.complain(r.verb, err)
	pause := m.pause(r.verb)
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

// complain logs a failure when it is not the same as the last one of its kind; a lost race is no failure.
func (m *machine) complain(v verb, err error) {
	if errors.Is(err, lease.ErrConflict) || errors.Is(err, lease.ErrExists) {
		m.note(slog.LevelDebug, "somebody else wrote the Lease first", slog.String("verb", string(v)))
		return
	}
	if text := err.Error(); text != m.troubles[v] {
		m.troubles[v] = text
		m.note(slog.LevelWarn, "a request for the Lease failed: trying again", slog.String("verb", string(v)), slog.Any("err", err))
	}
}

// recovered notes that a request of that kind went well. It says nothing of the others: a store may answer every read
// and refuse every write.
func (m *machine) recovered(v verb) {
	delete(m.failures, v)
	m.nextTry = 0
	if m.troubles[v] != "" {
		delete(m.troubles, v)
		m.note(slog.LevelInfo, "requests for the Lease go well again", slog.String("verb", string(v)))
	}
}

// pause returns how long to leave the store alone after a failure of that kind: short while a term is at stake, ours or
// one to resume; longer and longer for a standby, to at most 4.5 s.
func (m *machine) pause(v verb) time.Duration {
	if m.role != standby || m.inherited != nil {
		return between(200*time.Millisecond, 500*time.Millisecond, m.rand())
	}
	base := 500 * time.Millisecond << min(max(m.failures[v]-1, 0), 3)
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
