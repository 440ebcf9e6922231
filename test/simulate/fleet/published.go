//go:build linux

package fleet

import (
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// lateLoss is how long after its deadline a process that was not frozen may publish the loss: the elector's
// timers run by a clock that is up to 1 % off, and approach a deadline in steps.
const lateLoss = 20 * time.Millisecond

// judge compares a publication with what the store has applied and with what was published before. The caller holds the world's lock.
func (p *process) judge(l leadership.Leadership) {
	w, pod, old, now := p.w, p.pod, p.pod.published, p.w.now()
	w.must(p.rules.ever || !l.IsLeader && l.Leader == "", "I14", "%s says %q before it has read anything", p.name, describe(l))
	w.must(pod.process == p, "I12", "%s writes into the volume of %s", p.name, pod.process.name)
	if l.ValidUntil > pod.highest {
		w.must(pod.supported(l.ValidUntil), "I2",
			"%s says valid until %s: no write of its own that the store took carries that far", p.name, l.ValidUntil)
		pod.highest = l.ValidUntil
	}
	if l.IsLeader {
		if at, known := w.acquired[lease.Version(l.Token)]; known { // not of a take sent since, that a late renewal has overtaken
			pod.acquired = at
		}
		delete(pod.dropped, pod.acquired)
		w.must(p.rules.clockRead < l.ValidUntil, "I1", "%s says that it leads, at %s, until %s", p.name, p.rules.clockRead, l.ValidUntil)
		if l.Token != old.Token {
			p.judgeToken(l)
		}
		return
	}
	if !old.IsLeader {
		return
	}
	pod.past[old.Token] = true
	if now >= p.c.holdFull { // otherwise a later process may resume the term, which nobody else has
		pod.dropped[pod.acquired] = true
	}
	if end := p.trueEnd(old); now >= end && pod.publisher == p {
		w.must(now <= end+lateLoss || p.frozenSince(end), "I7", "%s says %v after its deadline that it no longer leads", p.name, now-end)
		p.judgeLoss(end)
	}
}

// judgeToken compares a new term's token with the store and with all terms before (I6, I10). On a restored store tokens still
// rise for every candidate that has seen the versions of before. Only one that knew nothing newer than the backup may
// begin a term with a token lower than others' were.
func (p *process) judgeToken(l leadership.Leadership) {
	w, token := p.w, lease.Version(l.Token)
	p.rules.led = token
	w.must(!p.pod.past[l.Token], "I10", "%s leads again by token %s, whose term was over", p.name, token)
	w.must(w.holders[token] == p.identity || w.holders[token] == p.pod.identity, "I6",
		"%s leads by token %s, which is no write of its own", p.name, token)
	if w.now() >= p.c.clock.trueTime(l.ValidUntil) {
		return // it was frozen in between: nobody who looks at validUntil finds that it leads
	}
	w.must(token.Compare(p.rules.known) > 0, "I6", "%s leads by token %s, having seen version %s", p.name, token, p.rules.known)
	w.must(w.restored || token.Compare(w.highest) > 0, "I6", "%s leads by token %s after %s", p.name, token, w.highest)
	if token.Compare(w.highest) > 0 {
		w.highest = token
	}
	w.tally.Terms++
}

// judgeLoss reports a term that ran out although the store answered everything in time. After a lost
// race the protocol itself pauses, for up to half a second.
func (p *process) judgeLoss(end time.Duration) {
	since := end - p.w.cfg.RenewDeadline/2
	if p.began > since || p.rules.pending > 0 || p.rules.trouble > since || p.rules.raced > since || p.frozenSince(since) {
		return
	}
	if p.w.touched > since {
		return // a renewal that meets another's write pauses before the next: too many of them may starve it
	}
	p.w.must(false, "needless loss", "%s let its term run out although every request of the last %v was answered at once",
		p.name, p.w.cfg.RenewDeadline/2)
}
