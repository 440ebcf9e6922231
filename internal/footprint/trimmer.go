//go:build linux

// Package footprint keeps the process small: it gives back to the system memory that only the start, a change of leadership or
// a scrape needed.
//
// It promises that this changes nothing that the program does, and that trims which only scrapes ask for are a minute apart. It
// does not promise a size: what is used again is read in again, and a system may not allow it at all.
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
	// startPause is the time from the start to a second trim: by then caches are filled and connections are made.
	startPause = time.Minute
	// changePause is the time to a trim after a change of leadership, and after a scrape.
	changePause = 10 * time.Second
	// scrapePause is the least time between two trims that only scrapes ask for: Prometheus scrapes every few seconds, for
	// ever. A trim costs some 6 ms of a processor with what is read in again, so this is 0.01 % of one.
	scrapePause = time.Minute
	// idlePause is the longest time between two trims. A trim is a garbage collection too, and comes before the runtime's own
	// (two minutes after the last), which reads the binary's tables in again. Measured: 15.1 MiB of RSS after four idle
	// minutes, 17 without it.
	idlePause = 110 * time.Second
)

// reason is why memory is to be given back.
type reason int

const (
	whileIdle reason = iota
	afterChange
	afterScrape
	reasons // how many there are
)

// Trimmer gives memory back some time after the start, a change of leadership or a scrape, and now and then, so that the
// runtime does not collect by itself. Its methods may be called from several goroutines at once.
type Trimmer struct {
	clock bootclock.Clock
	trim  func() error
	moved chan struct{} // has room for one: due has changed

	mu   sync.Mutex
	due  [reasons]bootclock.Instant // when memory is given back; zero: not
	last bootclock.Instant          // when it was
}

// New returns a Trimmer that does nothing until [Trimmer.Run].
func New(clock bootclock.Clock) *Trimmer {
	return &Trimmer{clock: clock, trim: trim, moved: make(chan struct{}, 1)}
}

// trim gives memory back to the system: the heap first, as that touches the program's own pages.
func trim() error {
	debug.FreeOSMemory()
	return DropPages()
}

// Changed notes that leadership has changed.
func (t *Trimmer) Changed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.set(afterChange, t.clock.Now().Add(changePause))
}

func (t *Trimmer) scraped() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.due[afterScrape].IsZero() {
		t.set(afterScrape, max(t.clock.Now().Add(changePause), t.last.Add(scrapePause)))
	}
}

// set sets when memory is given back for a reason. The lock is held.
func (t *Trimmer) set(why reason, at bootclock.Instant) {
	t.due[why] = at
	select {
	case t.moved <- struct{}{}:
	default: // Run is to look anyway
	}
}

// next reports whether something is due, which counts as done then, and else when the next thing is (zero: nothing).
func (t *Trimmer) next() (due bool, at bootclock.Instant) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock.Now()
	for why, when := range t.due {
		if !when.IsZero() && !now.Before(when) {
			due, t.due[why], t.last = true, 0, now
		}
	}
	if due {
		t.due[whileIdle] = now.Add(idlePause)
	}
	for _, when := range t.due {
		if !when.IsZero() && (at.IsZero() || when.Before(at)) {
			at = when
		}
	}
	return due, at
}

// Run gives memory back at once, a minute later, and then whenever it is due, until ctx ends or the system does not allow it.
func (t *Trimmer) Run(ctx context.Context, log *slog.Logger) {
	timer := t.clock.NewTimer()
	defer timer.Stop()
	t.mu.Lock()
	t.last = t.clock.Now()
	t.set(whileIdle, t.last.Add(startPause))
	t.mu.Unlock()
	for {
		if err := t.trim(); err != nil {
			log.Debug("memory cannot be given back", "error", err)
			return
		}
		for due, at := t.next(); !due; due, at = t.next() {
			if bootclock.Await(ctx, timer, at, t.moved, nil) != nil {
				return
			}
		}
	}
}

// Watching returns a handler that has h serve, and notes scrapes.
func (t *Trimmer) Watching(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r)
		if r.URL.Path == "/metrics" {
			t.scraped()
		}
	})
}
