package elector

import (
	"errors"
	"log/slog"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// watching is the state of the watch. Its proof of life is news: the holder renews at every interval, so silence for
// two of them and a second means that the watch is dead, or the holder is.
type watching struct {
	open     bool              // asked for; not known to have ended
	afresh   bool              // reopen from the present state: the store no longer has our version
	heardAt  bootclock.Instant // last news, or the last suspicion
	openedAt bootclock.Instant // when the present one stood; zero while it does not
	reopenAt bootclock.Instant
	failures int    // watches in a row that were of no use
	trouble  string // the last failure, as last logged
}

// silence returns how long the watch may bring nothing new before it is suspected.
func (m *machine) silence() time.Duration { return 2*m.cfg.RenewInterval + time.Second }

// checkWatch opens the watch when it is due, and suspects one that has been silent: one read, and a new watch from
// the last version.
func (m *machine) checkWatch(now moment) {
	w := &m.watch
	switch {
	case m.over || !m.know.read:
		return
	case !w.open && !now.boot.Before(w.reopenAt):
		if w.heardAt.IsZero() {
			w.heardAt = now.boot
		}
	case w.open && !now.boot.Before(w.heardAt.Add(m.silence())):
		m.getDue, w.heardAt = true, now.boot
		m.note(slog.LevelDebug, "the watch was silent: reading the Lease and opening the watch anew")
	default:
		return
	}
	w.open, w.openedAt = true, 0
	m.out.watch = &watchFrom{version: m.know.version}
	if w.afresh {
		m.out.watch.version = ""
	}
}

// watchOpened notes that the watch stands. One opened afresh does not tell of a deletion before it: read once.
func (m *machine) watchOpened(now moment) {
	m.watch.openedAt = now.boot
	if m.watch.afresh {
		m.watch.afresh, m.getDue = false, true
	}
}

// served reports whether the watch that has just ended was of use: it brought news, or stood for as long as one may be
// silent. One that ends at once, however politely, must not be opened again and again without a pause.
func (w *watching) served(now moment, silence time.Duration) bool {
	return !w.openedAt.IsZero() && (w.openedAt.Before(w.heardAt) || !now.boot.Before(w.openedAt.Add(silence)))
}

// watchClosed plans the next watch: soon where the store closed it in good order, later and later where it broke or was
// of no use.
func (m *machine) watchClosed(now moment, err error) {
	w := &m.watch
	w.open = false
	if w.served(now, m.silence()) {
		w.failures, w.trouble = 0, ""
	}
	if errors.Is(err, lease.ErrExpired) {
		w.afresh = true
	}
	base := 250 * time.Millisecond << min(w.failures, 3)
	switch {
	case err != nil:
		if text := err.Error(); text != w.trouble && !w.afresh {
			w.trouble = text
			m.note(slog.LevelWarn, "the watch on the Lease broke: opening it again", slog.Any("err", err))
		}
		w.failures++
	case w.served(now, m.silence()):
		base = 100 * time.Millisecond
	default:
		w.failures++
	}
	w.reopenAt = now.boot.Add(between(base, base*3/2, m.rand()))
}

// dueAt returns when checkWatch has something to do.
func (w *watching) dueAt(m *machine) bootclock.Instant {
	switch {
	case !m.know.read:
		return never
	case w.open:
		return w.heardAt.Add(m.silence())
	}
	return w.reopenAt
}
