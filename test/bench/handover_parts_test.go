//go:build linux

package bench

import (
	"slices"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// parts are where the time of one handover goes. They follow each other without a gap, so their sum is the whole of it.
type parts struct {
	drain   time.Duration // SIGTERM to the leader's first request: the workload stops, and the guard reports that
	read    time.Duration // that request to the release, where a read comes first; else 0
	release time.Duration // the release to its answer
	event   time.Duration // its answer to the event at the next leader; below 0 where the event comes first
	wait    time.Duration // the event to the take: the next leader's turn
	take    time.Duration // the take to its answer
	file    time.Duration // that answer to the leader file
}

// exchange is a request on a line, and its answer.
type exchange struct {
	asked, answered time.Time
	bytes           int // of the request
}

// alertBytes is what the end of a TLS connection has at most.
const alertBytes = 64

// exchanges returns the requests that have passed, and when the chunks came that answer none of them: events of a watch.
func exchanges(passages []harness.Passage) (asked []exchange, events []time.Time) {
	type state struct {
		exchange
		replied bool
	}
	lines := map[int]*state{}
	done := func(s *state) {
		if s != nil && s.bytes > alertBytes {
			asked = append(asked, s.exchange)
		}
	}
	for _, p := range passages {
		s := lines[p.Line]
		switch {
		case p.Way == harness.Replies && s == nil:
			events = append(events, p.At)
		case p.Way == harness.Replies && s.replied: // the rest of a long answer, or the end of the line
		case p.Way == harness.Replies:
			s.answered, s.replied = p.At, true
		case s == nil || s.replied:
			done(s)
			lines[p.Line] = &state{exchange: exchange{asked: p.At, bytes: p.Bytes}}
		default:
			s.bytes += p.Bytes
		}
	}
	for _, s := range lines {
		done(s)
	}
	slices.SortFunc(asked, func(a, b exchange) int { return a.asked.Compare(b.asked) })
	return asked, events
}

// split returns the parts of a handover by what passed the proxies of the old leader and of the next one since SIGTERM, and whether
// it is clear (ok): a renewal at that very time, or a watch that was opened anew, makes it unclear.
func split(start, file time.Time, old, next []harness.Passage) (p parts, ok bool) {
	asked, _ := exchanges(old)
	takes, events := exchanges(next)
	takes = slices.DeleteFunc(takes, func(e exchange) bool { return e.answered.IsZero() || e.answered.After(file) })
	if len(takes) == 0 {
		return parts{}, false
	}
	take := takes[len(takes)-1]
	events = slices.DeleteFunc(events, func(at time.Time) bool { return at.After(take.asked) })
	asked = slices.DeleteFunc(asked, func(e exchange) bool { return e.asked.After(take.asked) || e.answered.IsZero() })
	if len(events) == 0 || len(asked) == 0 || len(asked) > 2 {
		return parts{}, false
	}
	first, release, event := asked[0], asked[len(asked)-1], events[len(events)-1]
	if len(asked) == 2 && first.bytes > release.bytes*3/4 { // a read has no body
		return parts{}, false
	}
	return parts{
		drain: first.asked.Sub(start), read: release.asked.Sub(first.asked), release: release.answered.Sub(release.asked),
		event: event.Sub(release.answered), wait: take.asked.Sub(event), take: take.answered.Sub(take.asked), file: file.Sub(take.answered),
	}, true
}

// figures returns the parts by the names of their figures.
func (p parts) figures() map[string]time.Duration {
	return map[string]time.Duration{
		"drain": p.drain, "read": p.read, "release": p.release, "event": p.event, "wait": p.wait, "take": p.take, "file": p.file,
	}
}
