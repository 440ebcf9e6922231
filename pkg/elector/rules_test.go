package elector

import (
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// TestClocksMovedApart: when the wall clock is set, this machine may have been paused with all its clocks: a leader renews at
// once, and leads on when that succeeds.
func TestClocksMovedApart(t *testing.T) {
	for _, jump := range []time.Duration{time.Hour, -time.Hour, 2100 * time.Millisecond} {
		l := newLone(t, 0.5)
		l.lead()
		l.wall = func(at time.Duration) time.Time { return transcriptEpoch.Add(at + jump) }
		l.step(time.Second, tick{})
		l.step(time.Second+time.Millisecond, l.answer(l.sends(verbRenew)))
		if !l.m.published.IsLeader || l.m.published.ValidUntil != l.at(11*time.Second) {
			t.Errorf("the wall clock moved by %v: %+v, want a renewed term", jump, l.m.published)
		}
		if l.out.request != nil {
			t.Errorf("the wall clock moved by %v once, and %s is sent again", jump, l.out.request.verb)
		}
	}
}

// TestItSleepsUntilSomethingIsDue: no look at the clock that has nothing to do.
func TestItSleepsUntilSomethingIsDue(t *testing.T) {
	l := newLone(t, 0.5)
	l.lead()
	l.step(30*time.Millisecond, l.newest())
	if want := l.at(10*time.Millisecond + releaseSpread + l.m.cfg.RenewInterval); l.out.wake != want {
		t.Errorf("a leader wakes at %v, want %v: its next renewal", since(l.out.wake), since(want))
	}
	l = newLone(t, 0.5)
	l.store.put(lease.Record{
		UID: "u1", Holder: "web-1_pod", DurationSeconds: 15, RenewTime: transcriptEpoch, Mark: lease.HeldMark("web-1_pod", 15*time.Second),
	})
	l.step(0, tick{})
	l.step(10*time.Millisecond, l.answer(l.sends(verbGet)))
	l.step(20*time.Millisecond, watchOpened{})
	if want := l.at(10*time.Millisecond + 7750*time.Millisecond); l.out.wake != want {
		t.Errorf("a standby wakes at %v, want %v: its first suspicion", since(l.out.wake), since(want))
	}
}

// TestRenewTimesOfAFrozenClock: who compares by the second sees every renewal, and no two processes write the same time.
func TestRenewTimesOfAFrozenClock(t *testing.T) {
	var seen [2][]time.Time
	for i, chance := range []float64{0.5, 0.7} {
		l := newLone(t, chance)
		l.wall = func(time.Duration) time.Time { return transcriptEpoch }
		l.lead()
		for n := range 4 {
			l.step(time.Duration(n+1)*4*time.Second, tick{})
			r := l.sends(verbRenew)
			seen[i] = append(seen[i], r.record.RenewTime)
			at := time.Duration(n+1)*4*time.Second + 10*time.Millisecond
			l.step(at, l.answer(r))
			l.step(at, l.newest())
		}
	}
	for n := range seen[0] {
		if n > 0 && !seen[0][n].Truncate(time.Second).After(seen[0][n-1].Truncate(time.Second)) {
			t.Errorf("renewal %v follows %v: the same second or an earlier one", seen[0][n], seen[0][n-1])
		}
		if seen[0][n].Equal(seen[1][n]) {
			t.Errorf("two processes write %v", seen[0][n])
		}
	}
}

// TestHowLongTheLeaseIsLeftAlone is I3 and I9: from the last write that was seen, for as long as anybody may believe.
func TestHowLongTheLeaseIsLeftAlone(t *testing.T) {
	held := func(holder string, spec int32, mark string) lease.Record {
		return lease.Record{UID: "u1", Holder: holder, DurationSeconds: spec, RenewTime: transcriptEpoch, Mark: mark}
	}
	ours := func(seconds time.Duration) string { return lease.HeldMark("web-1_pod", seconds*time.Second) }
	for _, c := range []struct {
		name   string
		writes []lease.Record   // a second apart
		want   [2]time.Duration // after the first write is seen, and the spread in which the take comes
	}{
		{"released", []lease.Record{held("", 1, lease.ReleasedMark(transcriptEpoch))}, [2]time.Duration{0, 20e6}},
		{"held", []lease.Record{held("web-1_pod", 15, ours(15))}, [2]time.Duration{15e9, 15.2e9}},
		{"held by a process of ours before", []lease.Record{held("web-0_pod", 15, lease.HeldMark("web-0_pod", 15e9))}, [2]time.Duration{15e9, 15.2e9}},
		{"held for longer", []lease.Record{held("web-1_pod", 60, ours(60))}, [2]time.Duration{60e9, 60.2e9}},
		{"held for longer, then for less", []lease.Record{held("web-1_pod", 60, ours(60)), held("web-2_pod", 15, lease.HeldMark("web-2_pod", 15e9))}, [2]time.Duration{60e9, 60.2e9}},
		{"the spec edited", []lease.Record{held("web-1_pod", 1, ours(60))}, [2]time.Duration{60e9, 60.2e9}},
		{"cleared by a hand", []lease.Record{held("", 1, ours(15))}, [2]time.Duration{15e9, 15.2e9}},
		{"held by another elector", []lease.Record{held("legacy-0", 15, "")}, [2]time.Duration{33e9, 33.2e9}},
		{"nothing but the metadata edited", []lease.Record{held("web-1_pod", 15, ours(15)), held("web-1_pod", 15, ours(15))}, [2]time.Duration{16e9, 16.2e9}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLone(t, 0.5)
			l.store.put(c.writes[0])
			l.step(0, tick{})
			l.step(0, l.answer(l.sends(verbGet)))
			for i, r := range c.writes[1:] {
				l.store.put(r)
				l.step(time.Duration(i+1)*time.Second, l.newest())
			}
			from := time.Duration(len(c.writes)-1) * time.Second
			if got := l.taking(from, 90*time.Second); got < c.want[0] || got > c.want[1] {
				t.Errorf("taken after %v, want %v to %v", got, c.want[0], c.want[1])
			}
		})
	}
}

// TestOldNewsIsDropped: an answer that the watch has overtaken tells nothing any more.
func TestOldNewsIsDropped(t *testing.T) {
	l := newLone(t, 0.5)
	l.store.put(lease.Record{UID: "u1", RenewTime: transcriptEpoch, Mark: lease.ReleasedMark(transcriptEpoch)})
	l.step(0, tick{})
	l.step(0, l.answer(l.sends(verbGet)))
	l.step(20*time.Millisecond, tick{})
	answer := l.answer(l.sends(verbTake))
	theirs := *l.store.record
	theirs.Holder, theirs.Mark = "web-1_pod", lease.HeldMark("web-1_pod", 15*time.Second)
	l.store.put(theirs)
	l.step(30*time.Millisecond, l.newest())
	l.step(40*time.Millisecond, answer)
	if l.m.published.IsLeader || l.m.know.record.Holder != "web-1_pod" {
		t.Errorf("leads %v, and knows %q as the holder; want the newest: web-1_pod",
			l.m.published.IsLeader, l.m.know.record.Holder)
	}
}

// TestHoldThatNobodyCanBelieveIsNotWrittenAgain: a candidate that was frozen while its hold could not be written does not turn
// without a pause.
func TestHoldThatNobodyCanBelieveIsNotWrittenAgain(t *testing.T) {
	l := newLone(t, 0.5)
	l.lead()
	l.step(time.Second, stepDown{cause: "test"})
	l.step(time.Second, holdFailed{})
	for _, at := range []time.Duration{12 * time.Second, 13 * time.Second} {
		l.step(at, tick{})
		if l.out.hold != nil || l.out.wake <= l.at(at+time.Millisecond) {
			t.Errorf("%v, after the term: hold %+v, next turn %v later; want no write and a later turn", at, l.out.hold, l.out.wake.Sub(l.at(at)))
		}
	}
}

// TestAppliedWriteProvesTheRight: the watch may show a write as applied before its answer comes. Whoever leads by it has
// the right to write, whatever was refused before, and is ready.
func TestAppliedWriteProvesTheRight(t *testing.T) {
	l := newLone(t, 0.5)
	l.store.put(lease.Record{UID: "u1", RenewTime: transcriptEpoch, Mark: lease.ReleasedMark(transcriptEpoch)})
	l.step(0, tick{})
	l.step(5*time.Millisecond, l.answer(l.sends(verbGet)))
	l.step(20*time.Millisecond, tick{})
	l.sends(verbTake)
	l.step(30*time.Millisecond, replied{err: lease.ErrForbidden})
	if l.out.unready == "" {
		t.Error("ready although the take was refused for want of rights")
	}
	at := l.taking(time.Second, time.Minute)
	l.answer(l.sends(verbTake))
	l.step(at+20*time.Millisecond, l.newest())
	if l.m.role != leading || l.out.unready != "" {
		t.Errorf("%v, not ready for %q; want it leading and ready", l.m.role, l.out.unready)
	}
}

// TestWhoseWriteProvesTheRight: only a write by another replica shows that the right to write has been granted meanwhile. Replicas
// have it alike; somebody who edits the Lease, another kind of elector, and an earlier process of this pod may have had it for themselves.
func TestWhoseWriteProvesTheRight(t *testing.T) {
	for _, c := range []struct {
		name, holder, mark string
		ready              bool
	}{
		{"another replica's", "web-1_pod", lease.HeldMark("web-1_pod", 15*time.Second), true},
		{"another elector's", "web-1_client-go", "", false},
		{"an edit", "", "", false},
		{"an earlier process's", "web-0_pod", lease.HeldMark("web-0_pod", 15*time.Second), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLone(t, 0.1)
			l.store.put(lease.Record{UID: "u1", RenewTime: transcriptEpoch, Mark: lease.ReleasedMark(transcriptEpoch)})
			l.exhaust(0, tick{}, func(r *request) replied {
				if r.verb == verbTake {
					return replied{err: lease.ErrForbidden}
				}
				return l.answer(r)
			})
			if l.out.unready == "" {
				t.Fatal("ready although the take was refused for want of rights")
			}
			l.store.put(lease.Record{UID: "u1", Holder: c.holder, DurationSeconds: 15, RenewTime: transcriptEpoch, Mark: c.mark, Transitions: 1})
			l.step(time.Second, l.newest())
			if ready := l.out.unready == ""; ready != c.ready {
				t.Errorf("ready: %v, want %v (%s)", ready, c.ready, l.out.unready)
			}
		})
	}
}

// TestTheAnswerToAReleaseIsNoRead: a store that answers a release with a record of ours has the Lease read before the next one (I5).
func TestTheAnswerToAReleaseIsNoRead(t *testing.T) {
	l := newLone(t, 0.5)
	l.lead()
	ours := l.m.know.record
	l.step(time.Second, stepDown{})
	l.step(2*time.Second, stopWaitEnded{outcome: WorkloadStopped})
	l.sends(verbRelease)
	ours.Version += "0"
	l.step(3*time.Second, replied{reply: ours})
	l.sends(verbGet)
}
