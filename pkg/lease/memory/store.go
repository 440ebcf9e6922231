package memory

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// Store is one candidate's connection to a [Backend]. Without faults every call is answered at once.
type Store struct {
	backend *Backend
	key     types.NamespacedName

	// Guarded by the backend's lock.
	fate    func(Verb) Fate
	stalled bool
	lag     time.Duration
	broken  error
	breaks  int
	opened  int // watches so far
	// silenced is the number of the last watch that is half open, and with it all before.
	silenced int
}

var _ lease.Store = (*Store)(nil)

// Store returns a new connection for the Lease of that name.
func (b *Backend) Store(namespace, name string) *Store {
	return &Store{backend: b, key: types.NamespacedName{Namespace: namespace, Name: name}, fate: healthy}
}

// Get implements [lease.Store].
func (s *Store) Get(ctx context.Context) (lease.Record, error) {
	return send(ctx, s, Get, func() (lease.Record, error) { return s.backend.get(s.key) })
}

// Create implements [lease.Store].
func (s *Store) Create(ctx context.Context, r lease.Record) (lease.Record, error) {
	return send(ctx, s, Create, func() (lease.Record, error) { return s.backend.create(s.key, r) })
}

// Update implements [lease.Store].
func (s *Store) Update(ctx context.Context, r lease.Record) (lease.Record, error) {
	return send(ctx, s, Update, func() (lease.Record, error) { return s.backend.update(s.key, r) })
}

// Watch implements [lease.Store].
func (s *Store) Watch(ctx context.Context, from lease.Version, connected func(), deliver func(lease.Event)) error {
	if err := s.dial(ctx, Watch); err != nil {
		return err
	}
	w, err := s.open(from)
	if err != nil {
		return err
	}
	if connected != nil {
		connected()
	}
	for {
		step := w.next()
		switch {
		case step.over:
			return step.why
		case ctx.Err() != nil:
			return ctx.Err()
		case step.event != nil:
			deliver(*step.event)
		default:
			step.wait(ctx)
		}
	}
}

// send carries a request to the backend and its answer back, as its [Fate] says.
func send[T any](ctx context.Context, s *Store, verb Verb, apply func() (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	s.backend.mu.Lock()
	decide := s.fate
	s.backend.mu.Unlock()
	fate := decide(verb)
	type answer struct {
		reply T
		err   error
	}
	answers := make(chan answer, 1)
	arrive := func() {
		a := answer{err: fate.Err}
		if fate.Err == nil || fate.Applied {
			reply, err := apply()
			if fate.Err == nil {
				a = answer{reply, err}
			}
		}
		if !fate.ReplyLost {
			after(fate.ReplyDelay, func() { answers <- a })
		}
	}
	switch {
	case fate.Lost:
	case fate.Again > 0:
		after(fate.Delay, func() { _, _ = apply() }) // nobody gets this answer
		after(fate.Delay+fate.Again, arrive)
	default:
		after(fate.Delay, arrive)
	}
	select {
	case a := <-answers:
		return a.reply, a.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// dial is a request that changes nothing.
func (s *Store) dial(ctx context.Context, verb Verb) error {
	_, err := send(ctx, s, verb, func() (struct{}, error) { return struct{}{}, nil })
	return err
}

func after(d time.Duration, do func()) {
	if d <= 0 {
		do()
		return
	}
	time.AfterFunc(d, do)
}
