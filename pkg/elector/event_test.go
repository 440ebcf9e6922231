package elector

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// TestIllegalEvents tries every event in every state: "x" is an error, and "." is not. An answer is legal only where its
// question is open.
func TestIllegalEvents(t *testing.T) {
	events := map[string]event{
		"tick": tick{}, "replied": replied{err: errTimeout}, "changed": changed{Event: lease.Event{Record: lease.Record{Version: "1"}}},
		"opened": watchOpened{}, "closed": watchClosed{}, "stopped": stopWaitEnded{outcome: WorkloadStopped},
		"notsaved": holdFailed{}, "stepdown": stepDown{}, "health": health{}, "terminate": terminate{}, "leave": leave{}, "prefer": prefer{}, "wish": wishAnswered{}, "abandon": abandon{}, "none": nil,
	}
	lines := strings.Split(strings.TrimSpace(`
state      tick replied changed opened closed stopped notsaved stepdown health terminate leave prefer wish abandon none
new        .    x       x       x      x      x       x        .        .      .         .     .      .    .       x
reading    .    .       x       x      x      x       x        .        .      .         .     .      .    .       x
standby    .    x       .       .      .      x       x        .        .      .         .     .      .    .       x
watching   .    x       .       x      .      x       x        .        .      .         .     .      .    .       x
unwatched  .    x       x       x      x      x       x        .        .      .         .     .      .    .       x
taking     .    .       .       .      .      x       x        .        .      .         .     .      .    .       x
leading    .    x       .       .      .      x       .        .        .      .         .     .      .    .       x
renewing   .    .       .       .      .      x       .        .        .      .         .     .      .    .       x
draining   .    x       .       .      .      .       .        .        .      .         .     .      .    .       x
releasing  .    .       .       .      .      x       .        .        .      .         .     .      .    .       x
over       x    x       x       x      x      x       x        x        x      x         x     x      x    x       x`), "\n")
	names := strings.Fields(lines[0])[1:]
	if len(names) != len(events) {
		t.Fatalf("the table names %d events, want %d", len(names), len(events))
	}
	for _, line := range lines[1:] {
		row := strings.Fields(line)
		for i, name := range names {
			l := candidateThatIs(t, row[0])
			_, err := l.m.step(moment{boot: l.at(5 * time.Second), wall: l.wall(5 * time.Second)}, newest(l.m, events[name]))
			if illegal := errors.Is(err, errIllegal); illegal != (row[i+1] == "x") {
				t.Errorf("%s while %s: %v, want it illegal: %v", name, row[0], err, !illegal)
			}
		}
	}
}

// candidateThatIs returns a candidate in a state of the table, before 5 s.
func candidateThatIs(t *testing.T, state string) *lone {
	l := newLone(t, 0.5)
	switch state {
	case "new":
		return l
	case "reading":
		l.step(0, tick{})
		return l
	case "standby", "watching", "unwatched":
		l.store.put(lease.Record{UID: "u1", Holder: "web-1_pod", DurationSeconds: 15, RenewTime: transcriptEpoch})
		l.step(0, tick{})
		l.step(time.Millisecond, l.answer(l.sends(verbGet)))
		switch state {
		case "watching":
			l.step(2*time.Millisecond, watchOpened{})
		case "unwatched":
			l.step(2*time.Millisecond, watchClosed{err: errTimeout})
			l.m.watch.reopenAt = never
		}
		return l
	case "taking":
		l.store.put(lease.Record{UID: "u1", RenewTime: transcriptEpoch, Mark: lease.ReleasedMark(transcriptEpoch)})
		l.step(0, tick{})
		l.step(time.Millisecond, l.answer(l.sends(verbGet)))
		l.step(releaseSpread, tick{})
		l.sends(verbTake)
		return l
	}
	l.lead()
	switch state {
	case "renewing":
		l.step(4*time.Second, tick{})
		l.sends(verbRenew)
	case "draining":
		l.step(time.Second, stepDown{})
	case "releasing":
		l.step(time.Second, stepDown{})
		l.step(2*time.Second, stopWaitEnded{outcome: WorkloadStopped})
	case "over":
		l.step(time.Second, terminate{})
		l.step(2*time.Second, stopWaitEnded{outcome: WorkloadStopped})
		l.step(2*time.Second, l.answer(l.sends(verbRelease)))
	}
	return l
}

// TestOnlyAStopIsAStop: a wait that ends without saying that the workload has stopped releases nothing.
func TestOnlyAStopIsAStop(t *testing.T) {
	for _, outcome := range []Outcome{0, Abandoned, Abandoned + 1} {
		l := newLone(t, 0.5)
		l.lead()
		l.step(time.Second, stepDown{})
		l.step(2*time.Second, stopWaitEnded{outcome: outcome})
		if l.m.role != standby || !l.out.abandoned || l.out.request != nil {
			t.Errorf("outcome %d: %v, abandoned: %v, request %v; want a standby that has abandoned its drain and releases nothing",
				outcome, l.m.role, l.out.abandoned, l.out.request)
		}
	}
}
