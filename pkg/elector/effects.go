package elector

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// save writes the hold, and remembers a failure for the machine's next step.
func (l *loop) save(h holdWrite) {
	if l.e.deps.Hold == nil {
		return
	}
	err := l.e.deps.Hold.Save(l.m.cfg.HoldKey(), h.HoldState)
	if err != nil && l.holdOK {
		l.log(note{slog.LevelWarn, "HoldNotWritten", "the hold file cannot be written: trying again; a restarted sidecar may not " +
			"resume its term, and a handover waits until the old hold has expired", []slog.Attr{slog.Any("error", err)}})
	}
	l.holdOK = err == nil
	if err != nil {
		l.holdFailed = h.number
	}
}

func (l *loop) perform(r *request) {
	l.running.Go(func() {
		ctx, cancel := context.WithTimeout(l.life, r.timeout)
		defer cancel()
		start := l.e.deps.Clock.Now()
		reply, err := r.perform(ctx, l.e.deps.Store)
		l.to.Observer.Requested(string(r.verb), l.e.deps.Clock.Now().Sub(start), err)
		l.deliver(l.life, replied{r.number, reply, err})
	})
}

func (l *loop) openWatch(w watchFrom) {
	if l.endWatch != nil {
		l.endWatch()
	}
	var ctx context.Context
	ctx, l.endWatch = context.WithCancel(l.life)
	l.running.Go(func() {
		err := l.e.deps.Store.Watch(ctx, w.version,
			sync.OnceFunc(func() { l.deliver(ctx, watchOpened{w.number}) }),
			func(e lease.Event) { l.deliver(ctx, changed{w.number, e}) })
		l.deliver(ctx, watchClosed{w.number, err})
	})
}

// startStopWait waits for the workload's stop, in place of any wait before.
func (l *loop) startStopWait(w stopWait) {
	if l.endStopWait != nil {
		l.endStopWait()
	}
	var ctx context.Context
	ctx, l.endStopWait = context.WithCancel(l.life)
	awaitLog := l.afterLog()
	l.running.Go(func() {
		outcome := WorkloadStopped
		if l.to.StopWait != nil {
			awaitLog(ctx)
			outcome = l.to.StopWait(ctx, w.Drain)
		}
		l.deliver(ctx, stopWaitEnded{w.number, outcome})
	})
}

// deliver hands an event to the loop, unless ctx has ended. It checks that first: select alone would leave it to chance.
func (l *loop) deliver(ctx context.Context, e event) {
	if ctx.Err() != nil {
		return
	}
	select {
	case l.events <- e:
	case <-ctx.Done():
	}
}

// log hands a note to the log's goroutine. A log that is stuck must not hold up the election: it loses the note.
func (l *loop) log(n note) {
	select {
	case l.logged <- func() {
		l.e.deps.Log.LogAttrs(context.Background(), n.severity, n.text, n.all()...) //nolint:sloglint // the texts are the machine's constants
	}:
	default:
	}
}

// logPatience bounds how long a stop wait waits for the log first.
const logPatience = 100 * time.Millisecond

// afterLog returns a function that waits, for logPatience at most, until the notes so far are logged: StopWait logs after them.
func (l *loop) afterLog() func(context.Context) {
	done := make(chan struct{})
	select {
	case l.logged <- func() { close(done) }:
	default:
		close(done)
	}
	return func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, logPatience)
		defer cancel()
		select {
		case <-done:
		case <-ctx.Done():
		}
	}
}
