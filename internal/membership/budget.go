package membership

import (
	"context"
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

const (
	// budgetRate and budgetBurst bound the requests of one replica, whatever goes wrong. A replica in good order sends one in
	// RenewInterval.
	budgetRate  = 2 // a second
	budgetBurst = 10

	firstBackoff = time.Second
	maxBackoff   = 15 * time.Second
)

// budget spaces requests: bursts pass, a flood does not.
type budget struct {
	clock bootclock.Clock

	mu   sync.Mutex
	free bootclock.Instant // when all of the burst is there again
}

// take waits until another request is within the budget, or ctx ends.
func (b *budget) take(ctx context.Context) error {
	const each = time.Second / budgetRate
	b.mu.Lock()
	now := b.clock.Now()
	if b.free.Before(now) {
		b.free = now
	}
	b.free = b.free.Add(each)
	wait := b.free.Add(-budgetBurst * each).Sub(now)
	b.mu.Unlock()
	if wait <= 0 {
		return ctx.Err()
	}
	return bootclock.Sleep(ctx, b.clock, wait)
}

// backoff is the pause before another attempt: it doubles with each, and no two replicas have the same.
type backoff struct {
	most time.Duration
	rand func() float64
	next time.Duration
}

func (b *backoff) pause() time.Duration {
	b.next = min(max(2*b.next, firstBackoff), b.most)
	return time.Duration((0.5 + b.rand()) * float64(b.next))
}

func (b *backoff) reset() { b.next = 0 }
