package memory

import (
	"context"
	"errors"
	"sort"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// watch is one open Watch: a place in the backend's history.
type watch struct {
	store    *Store
	number   int // of this watch among its store's
	position int // of the next change in the history
	restores int
	breaks   int
	present  *lease.Event // still to be delivered, where the watch began from no version
}

// step is what a watch has to do next: deliver an event, end, or wait.
type step struct {
	event *lease.Event
	over  bool
	why   error // with over; nil is the orderly close

	changed <-chan struct{}  // wait for it,
	arrival <-chan time.Time // or for a lagging event's; nil: none
}

// errRestored ends the watches that were open when the backend was put back.
var errRestored = errors.New("watch: the connection was lost as the store was restored")

func (s *Store) open(from lease.Version) (*watch, error) {
	b := s.backend
	b.mu.Lock()
	defer b.mu.Unlock()
	s.opened++
	w := &watch{store: s, number: s.opened, restores: b.restores, breaks: s.breaks}
	if from == "" {
		w.position = len(b.state.history)
		if r, err := b.reply(b.state.leases[s.key]); err == nil {
			w.present = &lease.Event{Record: r}
		}
		return w, nil
	}
	if from.Compare(b.state.oldest) < 0 {
		return nil, lease.ErrExpired
	}
	w.position = sort.Search(len(b.state.history), func(i int) bool {
		return lease.Version(b.state.history[i].object.ResourceVersion).Compare(from) > 0
	})
	return w, nil
}

func (w *watch) next() step {
	b := w.store.backend
	b.mu.Lock()
	defer b.mu.Unlock()
	if s, held := w.held(); held {
		return s
	}
	if event := w.present; event != nil {
		w.present = nil
		return step{event: event}
	}
	for ; w.position < len(b.state.history); w.position++ {
		c := b.state.history[w.position]
		if c.key != w.store.key {
			continue
		}
		if early := w.store.lag - time.Since(c.at); early > 0 {
			return step{changed: b.changed, arrival: time.After(early)}
		}
		w.position++
		r, err := lease.FromObject(c.object.DeepCopy())
		return step{event: &lease.Event{Record: r, Deleted: c.deleted}, over: err != nil, why: err}
	}
	return step{changed: b.changed}
}

// held returns what a watch does that a fault keeps from its events. The caller holds the backend's lock.
func (w *watch) held() (s step, held bool) {
	b := w.store.backend
	switch {
	case w.restores != b.restores:
		return step{over: true, why: errRestored}, true
	case w.breaks != w.store.breaks:
		return step{over: true, why: w.store.broken}, true
	case w.store.stalled, w.number <= w.store.silenced:
		return step{changed: b.changed}, true
	}
	return step{}, false
}

// wait returns when it is time for the next step, or ctx has ended.
func (s step) wait(ctx context.Context) {
	select {
	case <-s.changed:
	case <-s.arrival:
	case <-ctx.Done():
	}
}
