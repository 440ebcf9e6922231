package histories

import (
	"context"
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// Told is what the workload of one node is told of its leadership. Every look through it goes into the history: a term
// is acquired between the last look that said "not leader" and the first that said "leader", and has ended between
// the last look that said so and the first that did not.
type Told struct {
	client   int
	history  *History
	clock    bootclock.Clock
	document func() leadership.Leadership

	mu     sync.Mutex
	looked bootclock.Instant // the start of the last look, on the history's clock
	token  lease.Version     // of the term that the last look told of; "" for none
	until  bootclock.Instant // when that was to end, on the node's clock
}

// NewTold returns the view of a client. document reads what it is told, judged for this instant; what is not known
// reads as the zero value. clock is the node's own, which validity is told on.
func NewTold(client int, history *History, clock bootclock.Clock, document func() leadership.Leadership) *Told {
	return &Told{client: client, history: history, clock: clock, document: document, looked: history.Now()}
}

// Look returns what the workload is told now.
func (t *Told) Look() leadership.Leadership {
	t.mu.Lock()
	defer t.mu.Unlock()
	from := t.history.Now()
	l := t.document()
	to := t.history.Now()
	token := lease.Version(l.Token)
	if t.token != "" && t.token != token {
		t.end(to)
	}
	if t.token == "" && token != "" {
		t.add(Acquire, token, to)
	}
	t.looked, t.token = from, token
	if l.IsLeader {
		t.until = l.ValidUntil
	}
	return l
}

// Watch looks again and again until ctx ends, so that the ends of terms are known to that precision whatever the
// worker does meanwhile.
func (t *Told) Watch(ctx context.Context, every time.Duration) {
	for pause(ctx, every) {
		t.Look()
	}
}

// Close ends the view: nobody is told anything from here on, as the node is dead.
func (t *Told) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token != "" {
		t.add(Expire, t.token, t.history.Now())
	}
	t.token = ""
}

func (t *Told) end(to bootclock.Instant) {
	act := Expire
	if t.clock.Now().Before(t.until) {
		act = Release
	}
	t.add(act, t.token, to)
	t.token = ""
}

func (t *Told) add(act Act, token lease.Version, to bootclock.Instant) {
	t.history.Add(Operation{Act: act, Client: t.client, From: t.looked, To: to, Token: token})
}

// pause sleeps for d and reports whether ctx still stands.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}
