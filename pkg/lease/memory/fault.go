package memory

import "time"

// Verb names a call of [lease.Store] or [lease.Members].
type Verb string

// The verbs.
const (
	Get    Verb = "get"
	Create Verb = "create"
	Update Verb = "update"
	Delete Verb = "delete"
	List   Verb = "list"
	Watch  Verb = "watch"
)

// Fate says what becomes of one request. The zero Fate is a healthy network.
type Fate struct {
	// Delay is how long the request travels. It is applied on arrival, even where the caller has given up by then.
	Delay time.Duration
	// Lost: the request never arrives, and the caller waits until its context ends.
	Lost bool
	// Err is the answer in the request's stead: it is not applied, unless Applied says so.
	Err error
	// Applied, with Err: the request is applied, and the answer is Err all the same.
	Applied bool
	// Again, where not 0: the request arrives again that much later, as after a lost connection, and the second answer counts.
	Again time.Duration
	// ReplyDelay is how long the answer travels back.
	ReplyDelay time.Duration
	// ReplyLost: the request is applied, and the caller never gets the answer.
	ReplyLost bool
}

func healthy(Verb) Fate { return Fate{} }

// Faults decides the fate of every request from now on; nil: none fails. decide may be called from several goroutines at once.
func (s *Store) Faults(decide func(Verb) Fate) {
	if decide == nil {
		decide = healthy
	}
	s.change(func() { s.fate = decide })
}

// Blackhole cuts the connection in both directions, or restores it: requests are lost and watches stall, without an error.
// Restoring drops what [Store.Faults] and [Store.StallWatches] had set.
func (s *Store) Blackhole(on bool) {
	fate := func(Verb) Fate { return Fate{Lost: on} }
	s.change(func() { s.fate, s.stalled = fate, on })
}

// StallWatches holds back every event of this Store's watches, or lets them flow again, late but complete.
func (s *Store) StallWatches(on bool) { s.change(func() { s.stalled = on }) }

// LagWatches makes every event arrive that long after the change.
func (s *Store) LagWatches(lag time.Duration) { s.change(func() { s.lag = lag }) }

// HalfOpen silences this Store's open watches for good, without an error, as if the other end were gone. Later watches work.
func (s *Store) HalfOpen() { s.change(func() { s.silenced = s.opened }) }

// BreakWatches ends this Store's open watches with err; nil is the orderly close by the server.
func (s *Store) BreakWatches(err error) {
	s.change(func() {
		s.broken = err
		s.breaks++
	})
}

func (s *Store) change(do func()) {
	s.backend.mu.Lock()
	defer s.backend.mu.Unlock()
	do()
	s.backend.wake()
}
