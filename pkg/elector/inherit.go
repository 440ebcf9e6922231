package elector

import (
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// inherited is a predecessor's term that may be resumed.
type inherited struct {
	HoldState
	version lease.Version // of the first record seen: another one decides against resuming
}

// inherit decides by the first record whether a predecessor's term goes on: only if the Lease is still as it held it.
func (m *machine) inherit(r lease.Record) {
	h := m.inherited
	if h == nil {
		return
	}
	if h.version == "" {
		h.version = r.Version // the first record decides
	}
	_, ours := m.sent[r.RenewTime.UnixMicro()]
	switch {
	case r.Version.Compare(m.know.floor) < 0:
		m.dropInherited("the store was restored to a state older than that term")
	case ours && r.Holder == string(m.cfg.Identity): // our own take of it: credit decides
	case r.Version != h.version || r.Holder != string(m.cfg.Identity) || r.UID != h.UID || !r.AcquireTime.Equal(h.AcquireTime):
		m.dropInherited("the Lease is no longer as the last process held it")
	}
}

// resumable reports whether the Lease is a predecessor's of this very pod, still valid: it may be taken at once.
func (m *machine) resumable() bool { return m.inherited != nil && m.know.present }

// inheritedEnds returns when a predecessor's term that was not resumed runs out.
func (m *machine) inheritedEnds(moment) bootclock.Instant {
	if m.inherited == nil {
		return never
	}
	return m.inherited.ValidUntil
}

func (m *machine) endInherited(moment) {
	m.dropInherited("its term expired before the Lease could be read and taken")
}

// dropInherited gives up a predecessor's term, if there is one. The workload must stop by the end that the predecessor
// published, and what is published from now on says so.
func (m *machine) dropInherited(why string) {
	if m.inherited == nil {
		return
	}
	m.droppedUntil = m.inherited.ValidUntil
	m.inherited = nil
	m.info("TermNotResumed", "not resuming the term of the process before", detail(why))
	if !m.terminating {
		m.exitOnLoss(why)
	}
}
