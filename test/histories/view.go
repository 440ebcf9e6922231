package histories

import (
	"context"
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// View is what the worker of one node reads of its leadership. Every look goes into the history: a term
// is acquired between the last look that found "not leader" and the first that found "leader", and ends between
// the last look that found so and the first that did not.
type View struct {
	client   int
	history  *History
	now      func() bootclock.Instant
	document func() leadership.Leadership

	mu     sync.Mutex
	looked bootclock.Instant // the start of the last look, on the history's clock
	token  lease.Version     // of the term that the last look found; "" for none
	until  bootclock.Instant // when that was to end, on the node's clock
}

// NewView returns the view of a client. document reads its leadership, judged for this instant; what is not known
// reads as the zero value. now reads the node's own boot clock, which validity is given on.
func NewView(client int, history *History, now func() bootclock.Instant, document func() leadership.Leadership) *View {
	return &View{client: client, history: history, now: now, document: document, looked: history.Now()}
}

// Look returns the leadership that the document shows now.
func (v *View) Look() leadership.Leadership {
	v.mu.Lock()
	defer v.mu.Unlock()
	from := v.history.Now()
	l := v.document()
	to := v.history.Now()
	token := lease.Version(l.Token)
	if v.token != "" && v.token != token {
		v.end(to)
	}
	if v.token == "" && token != "" {
		v.add(Acquire, token, to)
	}
	v.looked, v.token = from, token
	if l.IsLeader {
		v.until = l.ValidUntil
	}
	return l
}

// Watch looks again and again until ctx ends, so that the ends of terms are known to that precision whatever the
// worker does meanwhile.
func (v *View) Watch(ctx context.Context, every time.Duration) {
	for pause(ctx, every) {
		v.Look()
	}
}

// Close ends the view, as the node is dead.
func (v *View) Close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.token != "" {
		v.add(Expire, v.token, v.history.Now())
	}
	v.token = ""
}

func (v *View) end(to bootclock.Instant) {
	act := Expire
	if v.now().Before(v.until) {
		act = Release
	}
	v.add(act, v.token, to)
	v.token = ""
}

func (v *View) add(act Act, token lease.Version, to bootclock.Instant) {
	v.history.Add(Operation{Act: act, Client: v.client, From: v.looked, To: to, Token: token})
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
