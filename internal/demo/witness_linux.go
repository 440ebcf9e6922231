package demo

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// lookEvery is the pause between two looks of the witness at one reader.
const lookEvery = 2 * time.Millisecond

// sight is what the witness last saw of a replica.
type sight struct {
	leads bool
	token string
	left  time.Duration // of the term's validity
	work  workReport
	condition
}

// witness looks at what every workload sees, by its file and over HTTP, as a reader that honours the deadline, all on one
// clock.
type witness struct {
	replicas []*replica
	clock    bootclock.System

	mu     sync.Mutex
	file   []track
	http   []track
	newest []leadership.Leadership
	looks  int
}

func newWitness(replicas []*replica) *witness {
	return &witness{
		replicas: replicas, file: make([]track, len(replicas)), http: make([]track, len(replicas)),
		newest: make([]leadership.Leadership, len(replicas)),
	}
}

// watch looks until ctx ends. Each reader is looked at by itself: a frozen sidecar's silence holds up no other.
func (w *witness) watch(ctx context.Context) {
	var readers sync.WaitGroup
	for i, r := range w.replicas {
		readers.Go(func() {
			w.each(ctx, func() {
				l, asked := w.read(func() (leadership.Leadership, error) { return leadership.Read(r.dir) })
				w.note(&w.file[i], asked, l)
				w.mu.Lock()
				w.newest[i] = l
				w.mu.Unlock()
			})
		})
		readers.Go(func() {
			w.each(ctx, func() {
				l, asked := w.read(func() (leadership.Leadership, error) { return r.client.Leadership(ctx) })
				w.note(&w.http[i], asked, l)
			})
		})
	}
	readers.Wait()
}

func (w *witness) each(ctx context.Context, look func()) {
	for ctx.Err() == nil {
		look()
		_ = bootclock.Sleep(ctx, w.clock, lookEvery) // an error ends the loop
	}
}

// read asks a reader. An error means "not leader" to the witness, as it must to everyone.
func (w *witness) read(ask func() (leadership.Leadership, error)) (l leadership.Leadership, asked bootclock.Instant) {
	asked = w.clock.Now()
	l, err := ask()
	if err != nil {
		l = leadership.Leadership{}
	}
	return l.At(w.clock.Now()), asked
}

func (w *witness) note(t *track, asked bootclock.Instant, l leadership.Leadership) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looks++
	t.look(asked, w.clock.Now(), l.IsLeader, l.Token)
}

// sights returns the newest of each replica.
func (w *witness) sights() []sight {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.clock.Now()
	all := make([]sight, len(w.replicas))
	for i, r := range w.replicas {
		l := w.newest[i].At(now)
		s := sight{leads: l.IsLeader, token: l.Token}
		if l.IsLeader {
			s.left = l.ValidUntil.Sub(now)
		}
		r.mu.Lock()
		s.work, s.condition = r.working, r.condition
		r.mu.Unlock()
		all[i] = s
	}
	return all
}

// leader returns the replica whose file says "leader", and since when the witness knows; -1 where none does.
func (w *witness) leader() (int, span) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.file {
		if s, ok := w.file[i].last(); ok && w.file[i].open {
			return i, s
		}
	}
	return -1, span{}
}

// lastLed returns when replica i last saw that it leads, by any reader.
func (w *witness) lastLed(i int) bootclock.Instant {
	w.mu.Lock()
	defer w.mu.Unlock()
	file, _ := w.file[i].last()
	overHTTP, _ := w.http[i].last()
	return max(file.to, overHTTP.to)
}

// verdict is what the witness has found in the end.
type verdict struct {
	looks int
	// led and work are for how long two replicas at once saw "leader", and were at work.
	led, work time.Duration
}

// sentence is the verdict in plain text.
func (v verdict) sentence(moves int) string {
	return fmt.Sprintf("%d of %d moves, %d looks: two led at once for %s, two worked at once for %s",
		moves, len(steps)+1, v.looks, rounded(v.led), rounded(v.work))
}

// err returns an error for what must never be seen.
func (v verdict) err() error {
	if v.led == 0 && v.work == 0 {
		return nil
	}
	return fmt.Errorf("two led at once for %s, and worked at once for %s", v.led, v.work)
}

func (w *witness) verdict() verdict {
	w.mu.Lock()
	defer w.mu.Unlock()
	led, work := make([][]*track, len(w.replicas)), make([][]*track, len(w.replicas))
	for i, r := range w.replicas {
		led[i] = []*track{&w.file[i], &w.http[i]}
		r.mu.Lock()
		worked := track{spans: append([]span(nil), r.work.spans...)}
		r.mu.Unlock()
		work[i] = []*track{&worked}
	}
	return verdict{looks: w.looks, led: overlap(led), work: overlap(work)}
}
