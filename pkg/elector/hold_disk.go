package elector

import (
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// A failed write of the hold is tried again after holdPause; while leading after holdPauseLeading, as the next renewal writes
// the hold anyway.
const (
	holdPause        = 250 * time.Millisecond
	holdPauseLeading = time.Second
)

// holdOnDisk is what is known of the hold file on disk. No release is sent while it could make a process that starts now
// believe in the term (I15).
type holdOnDisk struct {
	believable bootclock.Instant // until when it could; zero: it says that nobody leads
	before     bootclock.Instant // the same, before the write that is under way
	retryAt    bootclock.Instant // when to write it again; zero: the last write went well
}

// replace has a useless hold written over at the next step: another process might still believe it, until longest at most.
func (h *holdOnDisk) replace(longest bootclock.Instant) { h.believable, h.retryAt = longest, 1 }

// failed notes that the last write failed: the file may hold what it held before, or what was to be written.
func (h *holdOnDisk) failed(now moment, r role) {
	h.believable = max(h.believable, h.before)
	pause := holdPause
	if r == leading {
		pause = holdPauseLeading
	}
	h.retryAt = now.boot.Add(pause)
}

// clear reports whether nobody could believe the file any more.
func (h *holdOnDisk) clear(now moment) bool { return !now.boot.Before(h.believable) }

// holdDue returns when to write the hold: when it changes, and after a failure as long as the old one could be believed.
func (m *machine) holdDue(now moment) bootclock.Instant {
	h := &m.onDisk
	switch {
	case m.holdState() != m.saved:
		return now.boot
	case h.retryAt.IsZero() || h.clear(now) || !h.retryAt.Before(h.believable):
		return never
	}
	return h.retryAt
}

// writeHold has the hold written. It counts as written unless [holdFailed] follows.
func (m *machine) writeHold(moment) {
	m.saved = m.holdState()
	m.out.hold = &holdWrite{m.saves.ask(), m.saved}
	m.onDisk.before, m.onDisk.believable, m.onDisk.retryAt = m.onDisk.believable, 0, 0
	if m.saved.Leading {
		m.onDisk.believable = m.saved.ValidUntil
	}
}
