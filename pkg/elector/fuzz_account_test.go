package elector

import (
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// account is what an outsider knows of a candidate: what it was given and when, and what it sent and published. Every
// step is judged by it, and not by what the machine believes.
type account struct {
	t    *testing.T
	m    *machine
	hold *HoldState

	sent     map[int64]bootclock.Instant // renew times that may count → when the write left
	times    []time.Time                 // every renew time ever sent
	writes   []bootclock.Instant         // when each renewal or take left
	sighted  map[lease.Version][]sighting
	first    lease.Version     // of the first record shown
	proven   bootclock.Instant // what the sightings prove of validUntil
	newest   lease.Record      // the last record shown
	inflight *request

	last           leadership.Leadership
	tokens         lease.Version // the highest published
	publishedUntil bootclock.Instant
	drain          int
	disk           bootclock.Instant // until when a process that starts now could believe the hold file
	ordered        bool              // the term was asked to end, and no new one has been asked for since
	abandoned      bool              // its drain was abandoned, the same
	stopped        bool              // the workload has been seen to stop since it last led by what was published
	stoppedAt      bootclock.Instant
	read           bool // a read that left after that was answered
	unsure         bool // the last request failed
	ending         bool
	lowest         bootclock.Instant
}

// sighting is one record as shown, and when.
type sighting struct {
	at     bootclock.Instant
	record lease.Record
}

func newAccount(t *testing.T, m *machine, hold *HoldState) *account {
	a := &account{
		t: t, m: m, hold: hold, stopped: true,
		sent: map[int64]bootclock.Instant{}, sighted: map[lease.Version][]sighting{},
	}
	if hold != nil { // whatever it says, something was published until then
		a.stopped, a.publishedUntil, a.tokens = false, hold.ValidUntil, lease.Version(hold.Token)
		if hold.Leading {
			a.disk = hold.ValidUntil
		}
	}
	return a
}

// me is the candidate's identity, which changes where a twin writes it.
func (a *account) me() string { return string(a.m.cfg.Identity) }

// renewTime returns one that was sent, counted from the last, or one that never was.
func (a *account) renewTime(back int, wall time.Time) time.Time {
	if back < len(a.times) {
		return a.times[len(a.times)-1-back]
	}
	return wall.Add(time.Duration(back) * time.Second).Truncate(time.Microsecond)
}

// hear notes what the candidate is about to be given.
func (a *account) hear(now moment, e event, inflight *request) {
	a.inflight = inflight
	switch e := e.(type) {
	case changed:
		if !e.Deleted {
			a.see(now, e.Record)
		}
	case replied:
		a.inflight, a.unsure = nil, e.err != nil
		if e.err == nil {
			a.see(now, e.reply)
			if inflight.verb == verbGet && a.stopped && inflight.sent >= a.stoppedAt {
				a.read = true
			}
		}
	case stopWaitEnded:
		if e.number == a.drain && !a.stopped {
			a.stopped, a.stoppedAt = true, now.boot
		}
	case terminate:
		a.ending = true
	case abandon:
		a.abandoned = a.abandoned || a.m.role == draining && !a.stopped
	}
}

func (a *account) see(now moment, r lease.Record) {
	if a.first == "" {
		a.first = r.Version
	}
	a.sighted[r.Version] = append(a.sighted[r.Version], sighting{now.boot, r})
	a.newest = r
	if sent, ours := a.sent[r.RenewTime.UnixMicro()]; ours && r.Holder == a.me() {
		a.proven = max(a.proven, sent.Add(a.m.cfg.RenewDeadline))
	}
}

// judge holds what came of a step against the invariants.
func (a *account) judge(now moment, out output) {
	a.judgeTerm(now)
	if out.leadership != nil {
		a.judgeLeadership(now, *out.leadership)
	}
	if out.stopWait != nil {
		a.drain = out.stopWait.number
	}
	if out.request != nil {
		a.judgeRequest(now, out.request)
	}
	if !out.done && out.wake != 0 && out.wake <= now.boot {
		a.t.Fatalf("at %v it wants to wake at %v", now.boot, out.wake)
	}
	if len(out.notes) > 16 || len(a.m.effort.troubles) > 5 {
		a.t.Fatalf("%d lines for the log in one step, %d troubles", len(out.notes), len(a.m.effort.troubles))
	}
}

func (a *account) judgeTerm(now moment) {
	if a.m.role != standby {
		if now.boot >= a.m.term.validUntil {
			a.t.Fatalf("I1: %v at %v, valid until %v", a.m.role, now.boot, a.m.term.validUntil)
		}
		if a.m.term.validUntil > a.proven {
			a.t.Fatalf("I2, I8: %v until %v, proven until %v", a.m.role, a.m.term.validUntil, a.proven)
		}
	}
	if a.m.know.notBefore < a.lowest {
		a.t.Fatalf("I9: notBefore fell from %v to %v", a.lowest, a.m.know.notBefore)
	}
	a.lowest = a.m.know.notBefore
}

func (a *account) judgeLeadership(now moment, l leadership.Leadership) {
	before := a.last
	a.last = l
	readable(a.t, l)
	if !l.IsLeader {
		return
	}
	switch {
	case len(a.sighted) == 0 || a.hold != nil && l.Token == a.hold.Token:
		a.t.Fatalf("I14: an inherited term is published: %+v", l)
	case a.ordered, a.abandoned:
		a.t.Fatalf("a term that was asked to end, or abandoned, leads again: %+v", l)
	case now.boot >= l.ValidUntil:
		a.t.Fatalf("I1: published until %v at %v", l.ValidUntil, now.boot)
	case l.ValidUntil > a.proven:
		a.t.Fatalf("I2: published until %v, proven until %v", l.ValidUntil, a.proven)
	case l.Token == before.Token:
	case lease.Version(l.Token).Compare(a.tokens) <= 0:
		a.t.Fatalf("I6, I10: token %s after %s", l.Token, a.tokens)
	default:
		a.judgeToken(l)
	}
	if a.ending && !before.IsLeader {
		a.t.Fatal("it began to lead while terminating")
	}
	a.tokens, a.publishedUntil = lease.Version(l.Token), max(a.publishedUntil, l.ValidUntil)
	a.stopped, a.read = false, false
}

// judgeToken asks that the term began by a record that showed a write of this process as the Lease's.
func (a *account) judgeToken(l leadership.Leadership) {
	for _, s := range a.sighted[lease.Version(l.Token)] {
		if _, ours := a.sent[s.record.RenewTime.UnixMicro()]; ours && s.record.Holder == a.me() {
			return
		}
	}
	a.t.Fatalf("it leads by version %s, which was never shown as its own: %+v", l.Token, a.sighted[lease.Version(l.Token)])
}

func (a *account) judgeRequest(now moment, r *request) {
	rec := r.record
	switch {
	case a.inflight != nil:
		a.t.Fatalf("%s is sent while %s is under way", r.verb, a.inflight.verb)
	case r.timeout <= 0 || r.timeout > a.m.cfg.RenewDeadline:
		a.t.Fatalf("%s may take %v", r.verb, r.timeout)
	case r.verb == verbGet:
		return
	case r.verb == verbCreate:
		if rec.Holder != "" {
			a.t.Fatal("I4: it creates a Lease that is held")
		}
		return
	case rec.UID != a.uid(rec.Version):
		a.t.Fatalf("I4: %s on UID %q and version %q, which were never shown together", r.verb, rec.UID, rec.Version)
	}
	if a.abandoned && r.verb != verbTake {
		a.t.Fatalf("%s is sent after the drain was abandoned", r.verb)
	}
	switch r.verb {
	case verbTake:
		a.judgeTake(now, rec)
		if !a.m.resuming {
			a.ordered, a.abandoned = false, false
		}
	case verbRelease:
		a.judgeRelease(now, rec)
		clear(a.sent)
		return
	}
	a.times, a.writes = append(a.times, rec.RenewTime), append(a.writes, now.boot)
	if _, twice := a.sent[rec.RenewTime.UnixMicro()]; twice {
		a.t.Fatalf("two writes bear the renew time %v", rec.RenewTime)
	}
	a.sent[rec.RenewTime.UnixMicro()] = now.boot
	a.judgeMemory(now)
}

// uid returns the UID that was shown with the version; of several, one that the machine could have.
func (a *account) uid(v lease.Version) string {
	for _, s := range a.sighted[v] {
		if s.record.UID == a.m.know.record.UID {
			return s.record.UID
		}
	}
	return ""
}

func (a *account) judgeTake(now moment, rec lease.Record) {
	if a.ending && !a.m.resuming {
		a.t.Fatal("it takes the Lease while terminating")
	}
	for _, s := range a.sighted[rec.Version] {
		wait := max(a.m.cfg.Duration, s.record.Validity())
		if s.record.Foreign() {
			wait += a.m.cfg.ForeignGrace
		}
		if s.record.Released() || now.boot >= s.at.Add(wait) || a.resumes(now, s.record) || a.regains(s) {
			return
		}
	}
	a.t.Fatalf("I3: at %v it takes version %s, shown as %+v", now.boot, rec.Version, a.sighted[rec.Version])
}

// resumes reports whether the record is the predecessor's term: the first one shown, as the hold has it, in time.
func (a *account) resumes(now moment, r lease.Record) bool {
	return a.hold != nil && a.hold.Leading && now.boot < a.hold.ValidUntil && r.Version == a.first &&
		r.Holder == a.me() && r.UID == a.hold.UID && r.AcquireTime.Equal(a.hold.AcquireTime)
}

// regains reports whether the record is a write of this process that led by it or one before, shown before anybody could have
// waited for it, of a term that nobody asked to end.
func (a *account) regains(s sighting) bool {
	sent, ours := a.sent[s.record.RenewTime.UnixMicro()]
	return ours && s.record.Holder == a.me() && s.at < sent.Add(a.m.cfg.Duration*99/101) && a.tokens != "" && !a.ordered && !a.abandoned
}

func (a *account) judgeRelease(now moment, rec lease.Record) {
	switch {
	case !a.stopped:
		a.t.Fatalf("I5: released, and the workload, which was to work until %v, was not seen to stop", a.publishedUntil)
	case a.publishedUntil != 0 && !a.read && (a.unsure || !a.wrote(rec.Version)):
		a.t.Fatal("I5: released without a read since the workload stopped, and not on a write of its own")
	case now.boot < a.disk:
		a.t.Fatalf("I15: released while the hold on disk leads until %v", a.disk)
	case rec.Holder != "":
		a.t.Fatalf("a release that names %q", rec.Holder)
	}
	a.read = false
}

// wrote reports whether the version was shown as a write of this process, as it left.
func (a *account) wrote(v lease.Version) bool {
	for _, s := range a.sighted[v] {
		r := s.record
		_, ours := a.sent[r.RenewTime.UnixMicro()]
		if ours && r.Holder == a.me() && r.Mark == lease.HeldMark(r.Holder, a.m.cfg.Duration) && r.DurationSeconds == int32(a.m.cfg.Duration/time.Second) {
			return true
		}
	}
	return false
}

// judgeMemory asks that writes which can no longer count are forgotten.
func (a *account) judgeMemory(now moment) {
	count := 0
	for _, at := range a.writes {
		if now.boot < at.Add(a.m.cfg.Duration) {
			count++
		}
	}
	if len(a.m.sent) > count {
		a.t.Fatalf("it remembers %d writes, of which %d can count", len(a.m.sent), count)
	}
}
