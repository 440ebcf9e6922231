package elector

import (
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// TestAnOutageIsANewOne: what failed before a write that went well does not make the attempts in a later outage rare.
func TestAnOutageIsANewOne(t *testing.T) {
	const well = 5 * time.Minute
	for _, c := range []struct {
		name   string
		before func(*lone) // a request fails, and then all goes well until then
		reads  bool        // the store still answers reads in the outage
	}{
		{"a leader's read had failed", func(l *lone) {
			l.lead()
			at := l.nextTick(0)
			l.exhaust(at, tick{}, timedOut)
			for at = l.nextTick(at); at < well; at = l.nextTick(at) {
				l.exhaust(at, tick{}, l.answer)
			}
		}, false},
		{"a standby's take had failed", func(l *lone) {
			l.store.put(lease.Record{UID: "u1", RenewTime: transcriptEpoch, Mark: lease.ReleasedMark(transcriptEpoch)})
			l.exhaust(0, tick{}, l.answer)
			l.exhaust(releaseSpread, tick{}, timedOut)
			for at := 3 * time.Second; at < well; at += 3 * time.Second {
				l.store.put(lease.Record{
					UID: "u1", Holder: "web-1_pod", DurationSeconds: 15, AcquireTime: transcriptEpoch, RenewTime: l.wall(at),
					Mark: lease.HeldMark("web-1_pod", 15*time.Second), Transitions: 1,
				})
				l.exhaust(at, l.newest(), l.answer)
				l.exhaust(at, tick{}, l.answer)
			}
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLone(t, 0.9)
			c.before(l)
			var failed, longest time.Duration // when the last request failed, and the longest pause after one
			for at := well; at < well+time.Minute; at = l.nextTick(at) {
				l.exhaust(at, tick{}, func(r *request) replied {
					if c.reads && r.verb == verbGet {
						return l.answer(r)
					}
					if failed > 0 {
						longest = max(longest, at-failed)
					}
					failed = at
					return timedOut(r)
				})
			}
			if failed < well+45*time.Second || longest > 5*time.Second {
				t.Errorf("in the first minute of an outage the last attempt is after %v, and the longest pause %v; want at least 45s, and at most 5s",
					failed-well, longest)
			}
		})
	}
}

// TestAPeersTermEndsThePause: after minutes in which no write went well, a standby waits long between its attempts, and no longer once
// another replica has taken the Lease: its release is taken at once.
func TestAPeersTermEndsThePause(t *testing.T) {
	l := newLone(t, 0.1) // its turn after a release comes first
	l.store.put(lease.Record{UID: "u1", RenewTime: transcriptEpoch, Mark: lease.ReleasedMark(transcriptEpoch)})
	var at, failed time.Duration
	for ; failed < 5*time.Minute; at = l.nextTick(at) {
		l.exhaust(at, tick{}, func(r *request) replied {
			if r.verb == verbTake {
				failed = at
				return timedOut(r)
			}
			return l.answer(r)
		})
	}
	at = failed + time.Second
	if pause := l.m.know.tryAt.Sub(l.at(at)); pause < 30*time.Second {
		t.Fatalf("the next attempt is due in %v, want a long pause", pause)
	}
	for _, r := range []lease.Record{
		{UID: "u1", Holder: "web-1_pod", DurationSeconds: 15, AcquireTime: l.wall(at), RenewTime: l.wall(at), Mark: lease.HeldMark("web-1_pod", 15*time.Second), Transitions: 1},
		{UID: "u1", RenewTime: l.wall(at), Mark: lease.ReleasedMark(l.wall(at)), Transitions: 1},
	} {
		l.store.put(r)
		l.step(at, l.newest())
	}
	l.sends(verbTake)
}

// TestALastingFailureIsLoggedAgain: the log says of an outage that it lasts, but not at each attempt, though each is from another port.
func TestALastingFailureIsLoggedAgain(t *testing.T) {
	l := newLone(t, 0.5)
	l.lead()
	const outage = 4*remindEvery + time.Minute
	said := 0
	reset := func(at time.Duration) error {
		return fmt.Errorf("read tcp 10.0.0.5:%d->10.96.0.1:443: connection reset by peer", 1024+at.Microseconds()%60000)
	}
	count := func() {
		for _, n := range l.out.notes {
			if n.reason == "RequestFailed" && slices.ContainsFunc(n.attrs, slog.String("verb", string(verbGet)).Equal) {
				said++
			}
		}
	}
	for at := l.nextTick(0); at < outage; at = l.nextTick(at) {
		for l.step(at, tick{}); ; l.step(at, replied{err: reset(at)}) {
			count()
			if l.out.request == nil {
				break
			}
		}
	}
	if said < 4 || said > 5 {
		t.Errorf("%d lines in %v of outage, want 4 or 5: one at once, and one every %v and a pause", said, outage, remindEvery)
	}
}

func timedOut(*request) replied { return replied{err: errTimeout} }

// exhaust hands the candidate an event, and answers what it asks for then.
func (l *lone) exhaust(at time.Duration, e event, answer func(*request) replied) {
	l.t.Helper()
	for l.step(at, e); l.out.request != nil; {
		l.step(at, answer(l.out.request))
	}
}

// nextTick returns when the candidate wants its next tick.
func (l *lone) nextTick(at time.Duration) time.Duration {
	return max(at+time.Millisecond, l.out.wake.Sub(l.at(0)))
}
