//go:build linux

package fleet

import (
	"context"
	"errors"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// attempt is one request, as the rules see it.
type attempt struct {
	verb   string
	record lease.Record
	boot   bootclock.Instant // when the elector decided on it
	at     time.Duration
}

const (
	get     = "get"
	create  = "create"
	take    = "take"
	renew   = "renew"
	release = "release"
)

// verbOf returns what an update is for, judging by what it writes.
func verbOf(r lease.Record) string {
	switch {
	case r.Holder == "":
		return release
	case r.AcquireTime.Equal(r.RenewTime):
		return take
	}
	return renew
}

// rules is what one process has done and seen, as observed at its boundaries. Guarded by the world's lock.
type rules struct {
	clockRead bootclock.Instant
	sights    map[lease.Version]firstSight
	newest    lease.Version     // of all seen
	known     lease.Version     // newest at the last take
	failed    bool              // the last write failed, or its outcome is unknown: a read must follow
	lost      bool              // it was a take that lost a race: what overtook it may be seen in place of a read
	ever      bool              // something was read
	led       lease.Version     // token of the last term of this process
	read      reading           // the last answer, if it was a read's
	sure      bool              // the last request went well
	failedAt  bootclock.Instant // the last answer that was a failure came
	beaten    lease.Version     // version that a take of this process found overwritten
	pending   int               // requests without an answer
	trouble   time.Duration     // true time of the last request that failed, or took long
	raced     time.Duration     // true time of the last write that lost a race
	minute    time.Duration     // when this minute began
	asked     int               // requests in this minute
	looks     int               // readings of the clock in this minute
}

type firstSight struct {
	boot   bootclock.Instant
	record lease.Record
}

type reading struct {
	record lease.Record
	asked  time.Duration
	ok     bool
}

func newRules(p *process) rules {
	return rules{sights: map[lease.Version]firstSight{}, minute: p.began, trouble: -time.Hour, raced: -time.Hour}
}

// The most requests of one process in a minute, and readings of its clock: a holder that is answered 429 tries a write and a read
// every 0.2–0.5 s. Each turn of the loop reads the clock.
const (
	mostRequests = 400
	mostLooks    = 900
)

// reads counts a reading of the clock by the elector. The caller holds the world's lock.
func (p *process) reads(now bootclock.Instant) {
	p.rules.clockRead = now
	p.rules.looks++
	if at := p.w.now(); at-p.rules.minute >= time.Minute {
		p.rules.minute, p.rules.asked, p.rules.looks = at, 0, 0
	}
	p.w.must(p.rules.looks != mostLooks+1, "budget", "%s reads its clock more than %d times in a minute", p.name, mostLooks)
}

// asks judges a request when the elector sends it.
func (p *process) asks(a *attempt) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	a.at = p.w.now()
	a.boot = p.c.clock.boot(a.at)
	if p.dead {
		return
	}
	r := &p.rules
	r.asked++
	p.w.must(r.asked != mostRequests+1, "budget", "%s sent more than %d requests in a minute", p.name, mostRequests)
	r.pending++
	p.w.tally.requests++
	p.w.say(p.name, "asks", "%s %s", a.verb, a.record.Version)
	p.w.must(!r.failed || a.verb == get || r.lost && r.newest.Compare(r.beaten) > 0, "read after a failed write", "%s sends %s instead", p.name, a.verb)
	switch a.verb {
	case get:
	case create:
		p.w.must(a.record.Holder == "", "I4", "%s creates a held Lease", p.name)
	default:
		p.judgeWrite(a)
	}
}

func (p *process) judgeWrite(a *attempt) {
	w := a.record
	p.w.must(w.UID != "" && w.Version != "", "I4", "%s writes without a condition: UID %q, version %q", p.name, w.UID, w.Version)
	if w.Holder != "" {
		p.writesAs(w.Holder)
		other := p.w.writers[w.Holder]
		p.w.must(other == nil || other == p || other.dead || other.ended || other.pod.twin && p.pod.twin, "I12", "%s writes as another live process does: %s", p.name, w.Holder)
		p.w.writers[w.Holder] = p
	}
	switch a.verb {
	case take:
		p.rules.known = p.rules.newest
		p.judgeTake(a)
		p.pod.acquired = w.AcquireTime
	case release:
		p.judgeRelease(a)
		clear(p.pod.sends)
		return
	}
	p.pod.sends[w.RenewTime.UnixMicro()] = sending{w.Holder, a.boot}
}

// writesAs records the identity that a process writes as. It takes a fresh one when it finds a twin, or what looks like
// one: an earlier process's record that an administrator puts back.
func (p *process) writesAs(identity string) {
	if identity == p.identity {
		return
	}
	p.w.must((p.pod.twin || p.w.putBacks) && naming.Identity(identity).Name() == p.c.name && p.w.writers[identity] == nil, "I12",
		"%s writes as %s", p.name, identity)
	p.w.say(p.name, "life", "goes on as %s", identity)
	p.identity = identity
	p.w.tally.renamed++
}

// judgeTake compares a take with what this process has seen (I3).
func (p *process) judgeTake(a *attempt) {
	seen, ok := p.rules.sights[a.record.Version]
	if !ok {
		p.w.must(false, "I3", "%s takes version %s, which it has never seen", p.name, a.record.Version)
		return
	}
	base, waited := seen.record, a.boot.Sub(seen.boot)
	wait := max(p.w.cfg.Duration, base.Validity())
	if base.Foreign() {
		wait += p.w.cfg.ForeignGrace
	}
	resumes := p.resumes(base, a.boot)
	free := base.Released() || resumes
	if !free && waited < wait && p.regains(base) {
		free = true
		p.w.tally.regained++
	}
	p.w.must(p.leavesAt == 0 || resumes || a.boot <= p.leavesAt, "leaving", "%s takes version %s, though its pod is about to end", p.name, base.Version)
	p.judgeNamed(base, free || waited >= wait)
	p.w.must(free || waited >= wait, "I3", "%s takes version %s of %q, first seen %v ago, want %v",
		p.name, base.Version, base.Holder, waited, wait)
	// A restored store shows again what was overwritten. Who has not read anything newer cannot know it.
	p.w.must(p.w.restored || a.record.Version != p.rules.beaten, "one race a version", "%s takes version %s again, having lost it", p.name, base.Version)
	p.judgeAge(a)
}

// resumes reports whether the record is of an earlier process of this pod, with a term that is valid and not given up.
func (p *process) resumes(base lease.Record, now bootclock.Instant) bool {
	return base.Holder == p.identity && p.identity == p.pod.identity && base.AcquireTime.Equal(p.heirTo) &&
		!p.pod.dropped[base.AcquireTime] && p.pod.supported(now)
}

// regains reports whether nobody else has been the holder since this process's last term began: it ran out, and is taken again.
func (p *process) regains(base lease.Record) bool {
	run, known := p.w.runs[base.Version]
	return known && base.Holder == p.identity && p.rules.led != "" && p.rules.led.Compare(run) >= 0
}

// judgeAge reports a take of a version that was overwritten longer ago than a silent watch is trusted, by a standby
// whose network had no faults: it did not notice the silence.
func (p *process) judgeAge(a *attempt) {
	over, old := p.w.overwritten[a.record.Version]
	cfg := p.w.cfg
	silence := 2*cfg.RenewInterval + time.Second + cfg.RenewInterval/2
	since := a.at - 2*cfg.Duration
	if !old || p.c.net.watchTrouble > since || p.rules.trouble > since || p.frozenSince(since) || p.w.disturbed > since {
		return
	}
	p.w.must(a.at-over <= silence+cfg.RenewDeadline/4-cfg.Duration/50, "silence", "%s takes version %s, overwritten %v ago", p.name, a.record.Version, a.at-over)
}

// judgeRelease requires that what is blanked is the process's own last write, or that a read just before, made after the app had
// stopped, showed the record as ours (I5). The watch may have shown a later state of ours since that read; then that is what is blanked.
func (p *process) judgeRelease(a *attempt) {
	r, base := p.rules.read, p.rules.sights[a.record.Version].record
	now := a.at
	p.w.must(!p.pod.app.lives(now), "I13", "%s releases while its app lives (%s)", p.name, p.pod.app.kind)
	p.judgeHoldOnDisk()
	if p.wroteLast(base) {
		return
	}
	ours := r.record.Holder == p.identity && base.Holder == p.identity
	p.w.must(r.ok && ours && r.record.Version.Compare(a.record.Version) <= 0, "I5",
		"%s blanks version %s without having written it, or read it as its own just before", p.name, a.record.Version)
	for _, s := range p.pod.app.spans {
		p.w.must(r.asked >= s.to, "I5", "%s releases by a read from before its app had stopped", p.name)
	}
}

// wroteLast reports whether the record is as this process wrote it, and no request has failed since it was seen, or the last one
// went well.
func (p *process) wroteLast(r lease.Record) bool {
	s, sent := p.pod.sends[r.RenewTime.UnixMicro()]
	sure := p.rules.sure || p.rules.failedAt.Before(p.rules.sights[r.Version].boot)
	return sent && sure && s.holder == p.identity && r.Holder == p.identity && r.Mark == lease.HeldMark(r.Holder, p.w.cfg.Duration) &&
		r.DurationSeconds == int32(p.w.cfg.Duration/time.Second)
}

// answered records how a request ended, before the elector gets the answer.
func (p *process) answered(a *attempt, reply lease.Record, err error) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if p.dead {
		return
	}
	r, now := &p.rules, p.w.now()
	r.pending--
	r.read, r.sure = reading{}, err == nil
	if err != nil {
		r.failedAt = p.c.clock.boot(now)
	}
	p.w.say(p.name, "asks", "%s %s: %s %s", a.verb, a.record.Version, reply.Version, outcome(err))
	raced := errors.Is(err, lease.ErrConflict) || errors.Is(err, lease.ErrExists)
	if raced {
		p.w.tally.conflicts++
		r.raced = now
		if a.verb == take {
			r.beaten = a.record.Version
		}
	}
	if err != nil && !raced && !errors.Is(err, lease.ErrNotFound) || now-a.at > 200*time.Millisecond {
		r.trouble = now
	}
	switch {
	case a.verb != get:
		r.failed, r.lost = err != nil, a.verb == take && errors.Is(err, lease.ErrConflict)
	default:
		r.failed = false
		r.ever = r.ever || err == nil || errors.Is(err, lease.ErrNotFound)
		r.read = reading{record: reply, asked: a.at, ok: err == nil}
	}
	if err == nil {
		p.seesLocked(reply)
	}
}

// sees records when a version was first seen.
func (p *process) sees(r lease.Record) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.w.say(p.name, "event", "sees %s of %q", r.Version, nameOf(r.Holder))
	p.seesLocked(r)
}

func (p *process) seesLocked(r lease.Record) {
	if r.Version.Compare(p.rules.newest) > 0 {
		p.rules.newest = r.Version
	}
	if _, old := p.rules.sights[r.Version]; !old {
		p.rules.sights[r.Version] = firstSight{p.c.clock.boot(p.w.now()), r}
	}
}

// outcome returns how a request ended. A timeout and the end of the process may fall on one instant: both are "no answer".
func outcome(err error) string {
	switch {
	case err == nil:
		return "well"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return "no answer"
	}
	return err.Error()
}
