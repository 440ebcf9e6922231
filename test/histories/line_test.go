package histories_test

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
)

// line is what lies between a node and the store, and what is wrong with it, each until an instant of the bubble.
type line struct {
	mu                                     sync.Mutex
	rand                                   *rand.Rand
	frozen, lostRequests, lostReplies, lag time.Time
	longest                                time.Duration // that a request of a lagging line is under way
}

// thawed returns once the node's sidecar is not frozen.
func (l *line) thawed() {
	for {
		l.mu.Lock()
		left := time.Until(l.frozen)
		l.mu.Unlock()
		if left <= 0 {
			return
		}
		time.Sleep(left)
	}
}

// set changes what is wrong.
func (l *line) set(change func(*line)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l)
}

// deaf reports whether no word of the store comes through.
func (l *line) deaf() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	return now.Before(l.lostRequests) || now.Before(l.lostReplies)
}

// fate decides what becomes of a request that is sent now.
func (l *line) fate(memory.Request) memory.Fate {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	hop := func() time.Duration {
		return time.Millisecond + time.Duration(l.rand.Int64N(int64(7*time.Millisecond)))
	}
	f := memory.Fate{
		Delay: hop(), ReplyDelay: hop(),
		Lost: now.Before(l.lostRequests), ReplyLost: now.Before(l.lostReplies),
	}
	if now.Before(l.lag) {
		f.Delay += time.Duration(l.rand.Float64() * float64(l.longest))
	}
	f.Delay += max(0, l.frozen.Sub(now)) // frozen between its last look at the clock and the sending
	return f
}
