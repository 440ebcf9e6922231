package elector

import (
	"container/heap"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// A world of candidates, one store and a bad network in virtual time: the machines are the real ones, and so is the
// order of what reaches them. Time is true time; every candidate has clocks of its own.

var errTimeout = errors.New("no answer in time")

type world struct {
	now    time.Duration
	queue  eventQueue
	order  int
	rng    *rand.Rand
	store  simStore
	nodes  []*simNode
	faults []string // violated invariants
	log    []string

	tokens    lease.Version // the highest token that anybody was told
	terms     int
	takeovers int
}

type scheduled struct {
	at    time.Duration
	order int
	do    func()
}

type eventQueue []scheduled

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *eventQueue) Push(x any)   { *q = append(*q, x.(scheduled)) }
func (q *eventQueue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

func newWorld(seed uint64, candidates int, cfg Config) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 1))}
	w.store.version = 100
	for i := range candidates {
		n := &simNode{w: w, name: fmt.Sprintf("web-%d", i), cfg: cfg, rate: 1 + (w.rng.Float64()*2-1)/100}
		n.skew = time.Duration(w.rng.Int64N(int64(time.Hour)))
		w.nodes = append(w.nodes, n)
		w.after(w.delay(50*time.Millisecond), n.start)
	}
	return w
}

func (w *world) after(d time.Duration, do func()) {
	w.order++
	heap.Push(&w.queue, scheduled{at: w.now + max(d, 0), order: w.order, do: do})
}

func (w *world) delay(most time.Duration) time.Duration {
	return time.Duration(w.rng.Int64N(int64(most)))
}

func (w *world) run(until time.Duration) {
	for events := 0; len(w.queue) > 0 && w.queue[0].at <= until; events++ {
		if events > 200_000 {
			w.violated("the world does not come to rest")
			return
		}
		e := heap.Pop(&w.queue).(scheduled)
		w.now = e.at
		e.do()
	}
	w.now = until
}

func (w *world) violated(format string, args ...any) {
	w.faults = append(w.faults, fmt.Sprintf("%v: ", w.now.Round(time.Millisecond))+fmt.Sprintf(format, args...))
}

func (w *world) trace(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf("%10v ", w.now.Round(time.Millisecond))+fmt.Sprintf(format, args...))
}

// leaders returns the candidates that are told, at this instant, that they lead.
func (w *world) leaders() (told []*simNode) {
	for _, n := range w.nodes {
		if n.told(w.now) {
			told = append(told, n)
		}
	}
	return told
}

// simStore is the Lease with its history.
type simStore struct {
	version, uid int
	record       *lease.Record
	history      []lease.Event
	watchers     []*simWatch
	writes       int
}

func (s *simStore) next() lease.Version { s.version++; return lease.Version(strconv.Itoa(s.version)) }

func (s *simStore) put(r lease.Record) lease.Record {
	r.Version = s.next()
	s.record = &r
	s.tell(lease.Event{Record: r})
	return r
}

func (s *simStore) delete() {
	if s.record == nil {
		return
	}
	r := *s.record
	r.Version, s.record = s.next(), nil
	s.tell(lease.Event{Record: r, Deleted: true})
}

func (s *simStore) tell(e lease.Event) {
	s.history = append(s.history, e)
	for _, w := range s.watchers {
		w.send(e)
	}
}

func (s *simStore) perform(r *request) (lease.Reply, error) {
	switch {
	case r.verb == verbCreate && s.record != nil:
		return lease.Reply{}, lease.ErrExists
	case r.verb == verbCreate:
		s.uid++
		rec := r.record
		rec.UID = strconv.Itoa(s.uid)
		return lease.Reply{Record: s.put(rec)}, nil
	case s.record == nil:
		return lease.Reply{}, lease.ErrNotFound
	case r.verb == verbGet:
		return lease.Reply{Record: *s.record}, nil
	case r.record.UID != s.record.UID || r.record.Version != s.record.Version:
		return lease.Reply{}, lease.ErrConflict
	}
	s.writes++
	return lease.Reply{Record: s.put(r.record)}, nil
}

// simWatch is one watch: it delivers in order, late, and not at all while it is stalled.
type simWatch struct {
	n      *simNode
	number int
	last   time.Duration
}

func (v *simWatch) send(e lease.Event) {
	w := v.n.w
	at := max(v.last, w.now+w.delay(8*time.Millisecond))
	if v.n.stalledUntil > w.now {
		at = max(at, v.n.stalledUntil)
	}
	v.last = at
	w.after(at-w.now, func() {
		if v.number == v.n.watch && !v.n.deaf() {
			v.n.take(changed{Event: e})
		}
	})
}
