package main

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

const (
	// lightStart is the time after the start at which what only the start needed is let go of once more: caches are filled
	// and connections stand by then.
	lightStart = time.Minute
	// lightChange is the same after a change of leadership, and after a scrape.
	lightChange = 10 * time.Second
	// lightScrapes is the least time between two lettings go that only scrapes ask for. One takes about 3 ms of a processor;
	// Prometheus comes every few seconds, for ever.
	lightScrapes = 5 * time.Minute
)

// light keeps the process small: it lets go of memory that only the start, a change of leadership or a scrape needed, some
// time after it. While nothing happens it does nothing.
type light struct {
	clock bootclock.Clock
	shed  func() error
	moved chan struct{} // has room for one: due has changed

	mu   sync.Mutex
	due  bootclock.Instant // when memory is let go of; zero: not
	last bootclock.Instant // when it was
}

func newLight(clock bootclock.Clock) *light {
	return &light{clock: clock, shed: letGo, moved: make(chan struct{}, 1)}
}

// letGo gives memory back to the system: the heap first, as that touches the program's own pages.
func letGo() error {
	debug.FreeOSMemory()
	return shedIdlePages()
}

// changed says that leadership has changed.
func (l *light) changed() { l.in(lightChange, 0) }

// scraped says that the metrics were asked for.
func (l *light) scraped() { l.in(lightChange, lightScrapes) }

// in has memory let go of after d, but not sooner than rest after the last time.
func (l *light) in(d, rest time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.clock.Now().Add(d)
	if !l.last.IsZero() {
		at = max(at, l.last.Add(rest))
	}
	if !l.due.IsZero() && !at.Before(l.due) {
		return
	}
	l.due = at
	select {
	case l.moved <- struct{}{}:
	default: // it will look anyway
	}
}

// run lets go at once, and then whenever it is due, until ctx ends or the system does not allow it.
func (l *light) run(ctx context.Context, log *slog.Logger) {
	timer := l.clock.NewTimer()
	defer timer.Stop()
	l.in(0, 0)
	for started := false; ; {
		l.mu.Lock()
		now := l.clock.Now()
		due := !l.due.IsZero() && !now.Before(l.due)
		if due {
			l.due, l.last = 0, now
		}
		timer.Reset(l.due)
		l.mu.Unlock()
		if due {
			if err := l.shed(); err != nil {
				log.Debug("idle pages cannot be let go of", "error", err)
				return
			}
			if !started {
				started = true
				l.in(lightStart, 0)
			}
			continue
		}
		select {
		case <-timer.C():
		case <-l.moved:
		case <-ctx.Done():
			return
		}
	}
}

// watching has h serve, and takes note of scrapes.
func (l *light) watching(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r)
		if r.URL.Path == "/metrics" {
			l.scraped()
		}
	})
}
