package elector

import (
	"log/slog"
	"slices"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// ownWrites is how many renew times of its own writes a candidate remembers: far more than can still be on their way.
const ownWrites = 256

// twins looks for another live process that writes this candidate's identity (I12).
//
// At most one late write of a process that died is ever applied: every write is conditional on the version before it. So of the
// records with our identity, mark and duration and a renew time that we never sent, the first one read is the predecessor's
// last, the next one may be its late write, and another one after that is a twin's.
type twins struct {
	own     [ownWrites]int64 // renew times of our writes in Unix microseconds, a ring
	next    int
	started bool  // the first record has been read
	first   int64 // renew time of the first record, where it was not ours
	late    int64 // of the next one like it; zero: none was seen
}

func (w *twins) sent(renewTime time.Time) {
	w.own[w.next%ownWrites] = renewTime.UnixMicro()
	w.next++
}

// wrote reports whether this process has sent a write with that renew time.
func (w *twins) wrote(t int64) bool {
	return slices.Contains(w.own[:min(w.next, ownWrites)], t)
}

// isTwin reports whether r shows that another live process writes this candidate's identity.
func (m *machine) isTwin(r lease.Record) bool {
	w, t := &m.twins, r.RenewTime.UnixMicro()
	first := !w.started
	w.started = true
	if r.Holder != string(m.cfg.Identity) || r.Mark != lease.HeldMark(r.Holder, m.cfg.Duration) ||
		r.DurationSeconds != int32(m.cfg.Duration/time.Second) || w.wrote(t) {
		return false
	}
	switch {
	case first:
		w.first = t
	case t == w.first || t == w.late:
	case w.late == 0:
		w.late = t
	default:
		return true
	}
	return false
}

// takeFreshIdentity goes on under an identity that nobody else has. Nothing of the old one counts any more: a late answer to a
// write of it shows the Lease as another's.
func (m *machine) takeFreshIdentity() {
	old := m.cfg.Identity
	var random [16]byte
	for i := range random {
		random[i] = byte(m.rand() * 256)
	}
	m.cfg.Identity = naming.Identity(old.Name() + "_" + naming.UUID(random))
	m.warn(twinIdentity, "another process writes the same identity: going on under a fresh one (two pods with one name and "+
		"UID, a copied signal directory, or one identity given to two)",
		slog.String("identity", string(m.cfg.Identity)), slog.String("was", string(old)))
	m.dropInherited("another process writes the same identity")
	m.becomeStandby(twinIdentity, "another process writes the same identity")
	clear(m.sent)
	m.resuming = false
	m.twins.first, m.twins.late = 0, 0
}
