package elector

import (
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

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
