//go:build linux

// Package footprint keeps the process small: it gives memory back to the system that only the start, a change of leadership or a
// scrape needed.
package footprint

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
	// lightScrapes is the least time between two that only scrapes ask for. One costs some 6 ms of a processor with
	// what it has read again, so this is 0.01 % of one; Prometheus comes every few seconds, for ever.
	lightScrapes = time.Minute
	// lightIdle is the longest time between two of them. The runtime collects garbage by itself two minutes after the last
	// time, and reads the binary's tables in again for it. Letting go is a collection too, and comes before that. Measured: 15.1 MiB
	// of RSS after four idle minutes, 17 without it.
	lightIdle = 110 * time.Second
)

// reason is why memory is to be let go of.
type reason int

const (
	whileIdle reason = iota
	afterChange
	afterScrape
	reasons // how many there are
)

// Light keeps the process small: it lets go of memory that only the start, a change of leadership or a scrape needed, some
// time after it, and now and then so that the runtime does not.
type Light struct {
	clock bootclock.Clock
	shed  func() error
	moved chan struct{} // has room for one: due has changed

	mu   sync.Mutex
	due  [reasons]bootclock.Instant // when memory is let go of; zero: not
	last bootclock.Instant          // when it was
}

// New returns a Light that does nothing until [Light.Run].
func New(clock bootclock.Clock) *Light {
	return &Light{clock: clock, shed: letGo, moved: make(chan struct{}, 1)}
}

// letGo gives memory back to the system: the heap first, as that touches the program's own pages.
func letGo() error {
	debug.FreeOSMemory()
	return ShedIdlePages()
}

// Changed says that leadership has changed.
func (l *Light) Changed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.set(afterChange, l.clock.Now().Add(lightChange))
}

// Scraped says that the metrics were asked for.
func (l *Light) Scraped() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.due[afterScrape].IsZero() {
		l.set(afterScrape, max(l.clock.Now().Add(lightChange), l.last.Add(lightScrapes)))
	}
}

// set says when memory is let go of for a reason. The lock is held.
func (l *Light) set(why reason, at bootclock.Instant) {
	l.due[why] = at
	select {
	case l.moved <- struct{}{}:
	default: // it will look anyway
	}
}

// next returns whether something is due now, which counts as done then, and else when the next thing is; zero: nothing.
func (l *Light) next() (due bool, at bootclock.Instant) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock.Now()
	for why, when := range l.due {
		if !when.IsZero() && !now.Before(when) {
			due, l.due[why], l.last = true, 0, now
		}
	}
	if due {
		l.due[whileIdle] = now.Add(lightIdle)
	}
	for _, when := range l.due {
		if !when.IsZero() && (at.IsZero() || when.Before(at)) {
			at = when
		}
	}
	return due, at
}

// Run lets go at once, a minute later, and then whenever it is due, until ctx ends or the system does not allow it.
func (l *Light) Run(ctx context.Context, log *slog.Logger) {
	timer := l.clock.NewTimer()
	defer timer.Stop()
	l.mu.Lock()
	l.last = l.clock.Now()
	l.set(whileIdle, l.last.Add(lightStart))
	l.mu.Unlock()
	for due := true; ; {
		if due {
			if err := l.shed(); err != nil {
				log.Debug("idle pages cannot be let go of", "error", err)
				return
			}
		}
		var at bootclock.Instant
		if due, at = l.next(); due {
			continue
		}
		timer.Reset(at)
		select {
		case <-timer.C():
		case <-l.moved:
		case <-ctx.Done():
			return
		}
		due, _ = l.next()
	}
}

// Watching has h serve, and takes note of scrapes.
func (l *Light) Watching(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r)
		if r.URL.Path == "/metrics" {
			l.Scraped()
		}
	})
}
