package elector

import (
	"log/slog"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// knowledge is what a candidate knows of the Lease, and from when.
type knowledge struct {
	read      bool          // the Lease, or its absence, has been seen
	present   bool          // it existed at the last sight
	record    lease.Record  // as last seen; meaningful while present
	version   lease.Version // the newest version known, deletions included
	floor     lease.Version // the newest version ever known, from before the store was restored to an older one
	seenAt    bootclock.Instant
	notBefore bootclock.Instant // nobody's unreleased Lease is taken before then; it never falls (I9)
	readyAt   bootclock.Instant // when this candidate's turn comes, by the last version and a draw
	tryAt     bootclock.Instant // after a failed attempt: not before then
	raced     bool              // that attempt was overtaken by another write: the pause ends when that is seen
	overtaken bool              // and that write has not been seen: it is read at the end of the pause, if the watch does not bring it
	situation string            // why it waits as it does, as last logged
}

// unheld reports whether the Lease is there without a holder, and nobody released it: it is new, or was edited.
func (k *knowledge) unheld() bool {
	return k.present && k.record.Holder == "" && !k.record.Released()
}

func (m *machine) change(now moment, e lease.Event) {
	newer := e.Record.Version.Compare(m.know.version)
	if newer >= 0 {
		m.watch.heard(now) // also by the echo of a write whose reply came first
	}
	if newer <= 0 {
		return // overtaken by a reply; or the store went back in time, which the silence after it will show
	}
	if !e.Deleted {
		m.renewed(now, e.Record)
		m.observe(now, e.Record)
		return
	}
	m.know.version = e.Record.Version
	m.absent(now)
}

// observe takes a state of the Lease from a reply or the watch, and drops it unless its version is newer.
func (m *machine) observe(now moment, r lease.Record) {
	if r.Version.Compare(m.know.version) <= 0 {
		return
	}
	k := &m.know
	peer := m.seePeer(r)
	if !k.present || peer || k.raced {
		k.tryAt, k.raced = 0, false // what failed was another request, or goes well by now
	}
	if k.overtaken { // this is the write that won, or a later one: nothing is left to be read
		k.overtaken, m.getDue, m.taking = false, false, false
	}
	k.read, k.present, k.record, k.version, k.seenAt = true, true, r, r.Version, now.boot
	m.forbid(now, r)
	if r.Workload != "" && m.cfg.Workload != "" && r.Workload != m.cfg.Workload {
		m.collide(r)
		return
	}
	m.rights.grant(verbCreate)
	if m.isTwin(r) {
		m.takeFreshIdentity()
	}
	sentAt, sent := m.sent[r.RenewTime.UnixMicro()]
	m.lapse.see(now, r, string(m.cfg.Identity), sentAt, sent, m.cfg.soonestTake())
	m.inherit(r)
	if r.Holder != string(m.cfg.Identity) {
		m.endTermBy(r)
	} else {
		m.credit(now, r)
	}
	m.drawTurn(now)
	if p := r.PreferredHolder; m.role == leading && p != "" && p != string(m.cfg.Identity) { // somebody asked for another holder
		m.beginDrain(now, "the Lease asks for "+p+" as its holder")
	}
	if m.role == leading {
		m.heed(now, r)
	}
}

// seePeer takes the news that another replica has written the Lease, if that is what r shows. The store takes writes, then, and as
// rights are granted to all replicas alike, a refusal of ours no longer stands.
func (m *machine) seePeer(r lease.Record) bool {
	if r.Holder == string(m.cfg.Identity) || r.Holder == "" || r.Foreign() {
		return false
	}
	m.rights.grant(verbTake)
	m.effort.workedForPeer()
	return true
}

// forbid raises notBefore for every new version, whatever changed in it (I3): its writer or holder may believe in it for the
// longer of our duration and its own. A holder that does not follow the protocol gets the grace on top.
func (m *machine) forbid(now moment, r lease.Record) {
	wait := max(m.cfg.Duration, r.Validity())
	if r.Foreign() {
		wait += m.cfg.ForeignGrace
	}
	m.know.notBefore = max(m.know.notBefore, now.boot.Add(wait))
}

// endTermBy ends our term by a record that has another holder or none.
func (m *machine) endTermBy(r lease.Record) {
	switch {
	case r.Holder != "" && m.inflight != nil && m.inflight.verb == verbRelease:
		m.becomeStandby(released, "released, and taken by "+r.Holder+" before the answer came") // only a release lets another holder in so early
	case r.Holder != "":
		m.becomeStandby(holderChanged, "the Lease has another holder: "+r.Holder)
	case m.role == draining && r.Released():
		m.becomeStandby(released, "released")
	default:
		m.becomeStandby(holderCleared, "somebody else cleared the Lease's holder")
	}
}

// credit counts a record of ours: validity from before the write was sent, and only for writes of this process (I2, I8). An
// edited record is renewed at once. A term whose drain was abandoned does not begin again: its Lease runs out.
func (m *machine) credit(now moment, r lease.Record) {
	if sentAt, ours := m.sent[r.RenewTime.UnixMicro()]; ours {
		until := sentAt.Add(m.cfg.RenewDeadline)
		m.rights.written() // whatever the store answered
		m.effort.worked()
		switch {
		case m.role != standby:
			m.term.validUntil = max(m.term.validUntil, until)
		case !m.ending.abandoned && now.boot.Before(until):
			m.becomeLeader(now, r, until)
		}
	}
	if m.role == leading && !m.asWritten(now, r) {
		m.term.renewAt = now.boot
		m.warn("LeaseEdited", "somebody edited the Lease under its holder: putting it right")
	}
}

func (m *machine) absent(now moment) {
	first := !m.know.read || m.know.present
	m.know.read, m.know.present, m.know.record = true, false, lease.Record{}
	m.dropInherited("the Lease does not exist")
	m.becomeStandby(leaseDeleted, "the Lease was deleted")
	if first {
		m.know.seenAt = now.boot
		m.drawTurn(now)
	}
}

// restored takes a read that is older than what was known when it was sent: the store was put back to an older
// state, and with it the order that safety and tokens rest on. The candidate stops, follows the store's new
// numbering, and does not campaign until that has passed the highest version ever seen.
func (m *machine) restored(now moment, r lease.Record) {
	if m.know.floor.Compare(m.know.version) < 0 {
		m.know.floor = m.know.version
	}
	m.note(slog.LevelError, storeRestored, "the store went back in time: it was restored from a backup; nobody campaigns here "+
		"until its versions have passed those already seen (restore etcd with --bump-revision and then write the Lease once, "+
		"as kubectl annotate does; or restart all replicas once no workload runs)",
		slog.String("version", string(r.Version)), slog.String("seen", string(m.know.floor)))
	m.becomeStandby(storeRestored, "the store was restored to an older state")
	m.dropInherited("the store was restored to an older state")
	clear(m.sent)
	m.twins = twins{}
	m.know.version = ""
	m.observe(now, r)
}

func (m *machine) collide(r lease.Record) {
	m.dropInherited("the Lease is another workload's")
	m.becomeStandby(workloadCollision, "the Lease was annotated for another workload")
	m.over = true
	m.overErr = &CollisionError{Lease: m.cfg.Lease, Namespace: m.cfg.Namespace, Workload: m.cfg.Workload, Other: r.Workload}
}
