package elector

import (
	"errors"
	"log/slog"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/trouble"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// mostSilence bounds how long a watch may be silent while nobody renews.
const mostSilence = 80 * time.Second

// watching is the state of the watch. Only news shows that it is alive: see [machine.silence].
type watching struct {
	doubted  bool              // silent for too long: opened anew once the Lease has been read
	blocked  bool              // it could not be opened: not tried again until a request has been answered
	afresh   bool              // reopen from the present state: the store no longer has our version
	heardAt  bootclock.Instant // last proof of life, or the last suspicion
	newsAt   bootclock.Instant // when a watch last brought something
	openedAt bootclock.Instant // when the present one stood; zero while it does not
	reopenAt bootclock.Instant
	failures int           // watches in a row that were of no use
	trouble  trouble.Last  // the last failure, as last logged
	interval time.Duration // between the holder's renewals, as observed; zero: not known yet
	patience float64       // drawn once, from [0, 1): which part of the spread of suspicions is this candidate's
}

// renewed learns from a record of the watch how often the present holder renews. Edits in between change nothing.
func (m *machine) renewed(now moment, r lease.Record) {
	w := &m.watch
	switch same, renewal := m.follows(r); {
	case !same:
		w.interval = 0
	case renewal:
		gap := min(now.boot.Sub(m.know.seenAt), max(m.cfg.Duration, r.Validity())/2) // nobody may renew less often
		w.interval = max(gap, (w.interval+gap)/2)
	}
}

// missed takes a record that was read. A renewal by the same holder after a silence shows that the watch is dead, as it would
// have brought it. The time between two reads says nothing about how often the holder renews.
func (m *machine) missed(now moment, r lease.Record) {
	w := &m.watch
	switch same, renewal := m.follows(r); {
	case r.Version.Compare(m.know.version) <= 0:
	case !same:
		w.interval = 0
	case renewal && m.role == standby && now.boot.Sub(m.know.seenAt) >= 2*m.cfg.RenewInterval+time.Second:
		w.doubted, w.interval = true, 0
	}
}

// heard takes the watch's news, which clears it of a suspicion: a read that is under way for that opens no other one.
func (w *watching) heard(now moment) {
	w.doubted, w.heardAt, w.newsAt = false, now.boot, now.boot
}

// follows reports whether r is of the same term as the record that is known, and whether it is a renewal after it.
func (m *machine) follows(r lease.Record) (same, renewal bool) {
	old := m.know.record
	same = m.know.present && r.Holder != "" && r.Holder == old.Holder && r.AcquireTime.Equal(old.AcquireTime)
	return same, same && !r.RenewTime.Equal(old.RenewTime)
}

// silence returns how long the watch may bring nothing new before it is suspected: two renew intervals, ours or the holder's
// as observed, and a second, and up to half an interval more. That half is drawn, as all standbys of a dead leader have heard
// nothing since the same instant: without it they would all read the Lease and open a watch at once. No take waits for it, as a
// take has a time of its own and is conditional on the version. The price is a dead watch that is found out that much later.
// Silence grows while there is no news, so that an election without a leader costs less and less.
func (m *machine) silence() time.Duration {
	interval := m.cfg.RenewInterval
	if m.watch.interval > 0 && m.know.record.Holder != string(m.cfg.Identity) {
		interval = m.watch.interval
	}
	least := 2*interval + time.Second + time.Duration(m.watch.patience*float64(interval/2))
	return min(max(least, m.watch.heardAt.Sub(m.know.seenAt)), max(least, mostSilence))
}

// watchDue returns when the watch is to be opened, or suspected.
func (m *machine) watchDue(moment) bootclock.Instant {
	w := &m.watch
	switch {
	case m.over || !m.know.read:
		return never
	case m.watches.open:
		return w.heardAt.Add(m.silence())
	case w.blocked && (m.role != standby || m.inflight != nil || m.getDue):
		return never // only a standby needs a read to find out whether the store is there
	}
	return w.reopenAt
}

// checkWatch opens the watch, or suspects one that has been silent: a standby reads the Lease, and opens a new one. A holder
// reads nothing: no read may stand before a renewal.
func (m *machine) checkWatch(now moment) {
	w := &m.watch
	switch {
	case m.watches.open:
		w.doubted, w.heardAt = true, now.boot
		m.getDue = m.getDue || m.role == standby // a holder's next renewal shows whether the store answers
		m.debug("the watch was silent: opening it anew once the store has answered")
	case !w.blocked:
		m.openWatch(now)
	default: // a read shows whether there is anybody to watch
		m.getDue = true
	}
}

// openWatch asks for a watch, in place of the present one.
func (m *machine) openWatch(now moment) {
	w := &m.watch
	if w.heardAt.IsZero() {
		w.heardAt = now.boot
	}
	w.doubted, w.openedAt = false, 0
	m.out.watch = &watchFrom{m.watches.ask(), m.know.version}
	if w.afresh {
		m.out.watch.version = ""
	}
}

// reached takes the news that the store has answered.
func (m *machine) reached(now moment, v verb) {
	m.watch.blocked = false
	if m.watches.open && m.watch.doubted && !m.over {
		m.openWatch(now)
	}
	if v == verbGet {
		m.watch.heardAt = now.boot // the watch has missed nothing before
	}
}

// watchOpened notes that the watch stands. One opened afresh does not show a deletion before it: read once.
func (m *machine) watchOpened(now moment) {
	m.watch.openedAt = now.boot
	if m.watch.afresh {
		m.watch.afresh, m.getDue = false, true
	}
}

// served reports whether the watch that has just ended was of use: it brought news, or stood for as long as one may be
// silent. One that ends at once, however politely, must not be opened again and again without a pause.
func (w *watching) served(now moment, silence time.Duration) bool {
	return !w.openedAt.IsZero() && (w.openedAt.Before(w.newsAt) || !now.boot.Before(w.openedAt.Add(silence)))
}

// watchClosed plans the next watch: soon after an orderly close, later and later after one that broke or was of no use.
func (m *machine) watchClosed(now moment, err error) {
	w := &m.watch
	m.watches.answered()
	served := w.served(now, m.silence())
	if served {
		w.failures, w.trouble = 0, trouble.Last{}
	}
	if errors.Is(err, lease.ErrExpired) {
		w.afresh = true
	}
	base := min(250*time.Millisecond<<min(w.failures, 10), m.silence())
	switch {
	case err != nil:
		if !w.afresh && w.trouble.Changed(err) {
			m.warn("WatchBroken", "the watch on the Lease broke: opening it again", slog.Any("error", err))
		}
		w.blocked = w.openedAt.IsZero() && !w.afresh
		w.failures++
	case served:
		base = 100 * time.Millisecond
	default:
		w.failures++
	}
	w.reopenAt = now.boot.Add(between(base, base*3/2, m.rand()))
}
