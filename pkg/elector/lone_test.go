package elector

import (
	"cmp"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// newest gives an event the number of the newest question that it can answer.
func newest(m *machine, e event) event { return answering(m, e, 0) }

// answering gives an event a number; 0: that of newest.
func answering(m *machine, e event, number int) event {
	switch e := e.(type) {
	case replied:
		e.number = cmp.Or(number, m.requests.number)
		return e
	case changed:
		e.number = cmp.Or(number, m.watches.number)
		return e
	case watchOpened:
		return watchOpened{cmp.Or(number, m.watches.number)}
	case watchClosed:
		e.number = cmp.Or(number, m.watches.number)
		return e
	case stopWaitEnded:
		e.number = cmp.Or(number, e.number, m.waits.number)
		return e
	case holdFailed:
		return holdFailed{cmp.Or(number, m.saves.number)}
	}
	return e
}

// lone is one candidate with a store of its own, in which others write as the test has it. Requests and changes are
// carried by hand, so that what reaches the candidate comes in the test's order and at the test's time.
type lone struct {
	t     *testing.T
	m     *machine
	store simStore
	wall  func(at time.Duration) time.Time
	out   output // of the last step
}

// configured returns the configuration of the tests' candidates, with the defaults.
func configured(id naming.Identity) Config {
	cfg := Default()
	cfg.Lease, cfg.Namespace, cfg.Workload, cfg.Identity = "acme-1", "default", "deployment/web", id
	return cfg
}

func newLone(t *testing.T, chance float64) *lone {
	l := &lone{t: t, wall: transcriptEpoch.Add}
	l.store.version = 100
	l.m = newMachine(configured("web-0_pod"), "boot", nil, func() float64 { return chance })
	return l
}

func (l *lone) at(at time.Duration) bootclock.Instant { return bootclock.Instant(transcriptBoot + at) }

// step hands the candidate an event at a time of the test.
func (l *lone) step(at time.Duration, e event) {
	l.t.Helper()
	out, err := l.m.step(moment{boot: l.at(at), wall: l.wall(at)}, newest(l.m, e))
	if err != nil {
		l.t.Fatalf("%v: %v", at, err)
	}
	l.out = out
}

// sends returns the request that the last step wants sent, which must be of that verb.
func (l *lone) sends(v verb) *request {
	l.t.Helper()
	r := l.out.request
	if r == nil || r.verb != v {
		l.t.Fatalf("the candidate sends %+v, want: %s", r, v)
	}
	return r
}

// answer performs a request now, and returns what the store says to it.
func (l *lone) answer(r *request) replied {
	reply, err := l.store.perform(r)
	return replied{reply: reply, err: err}
}

// newest returns the store's last change, as the watch brings it.
func (l *lone) newest() changed {
	return changed{Event: l.store.history[len(l.store.history)-1]}
}

// lead has the candidate take a Lease that was released: a term from 10ms on, known at 20ms.
func (l *lone) lead() {
	l.t.Helper()
	l.store.put(lease.Record{UID: "u1", RenewTime: transcriptEpoch, Mark: lease.ReleasedMark(transcriptEpoch)})
	l.step(0, tick{})
	l.step(5*time.Millisecond, l.answer(l.sends(verbGet)))
	l.step(10*time.Millisecond+releaseSpread, tick{})
	l.step(20*time.Millisecond+releaseSpread, l.answer(l.sends(verbTake)))
	if l.m.role != leading {
		l.t.Fatal("it does not lead")
	}
}

// taking runs the clock, answering reads at once, until the candidate tries to take the Lease or end has passed. It
// returns when that was.
func (l *lone) taking(from, end time.Duration) time.Duration {
	l.t.Helper()
	at := from
	for l.step(at, tick{}); at < end; {
		at += 10 * time.Millisecond
		switch r := l.out.request; {
		case r != nil && r.verb == verbTake:
			return at - 10*time.Millisecond
		case r != nil:
			l.step(at, l.answer(r))
		default:
			l.step(at, tick{})
		}
	}
	return at
}

var errTimeout = errors.New("no answer in time")

// simStore is the Lease with its history, for tests that carry requests and changes by hand. Many candidates and faults
// are simulated by test/simulate.
type simStore struct {
	version, uid int
	record       *lease.Record
	history      []lease.Event
}

func (s *simStore) next() lease.Version { s.version++; return lease.Version(strconv.Itoa(s.version)) }

func (s *simStore) put(r lease.Record) lease.Record {
	r.Version = s.next()
	s.record = &r
	s.history = append(s.history, lease.Event{Record: r})
	return r
}

func (s *simStore) delete() {
	if s.record == nil {
		return
	}
	r := *s.record
	r.Version, s.record = s.next(), nil
	s.history = append(s.history, lease.Event{Record: r, Deleted: true})
}

// perform answers a request as an API server does.
func (s *simStore) perform(r *request) (lease.Record, error) {
	switch {
	case r.verb == verbCreate && s.record != nil:
		return lease.Record{}, lease.ErrExists
	case r.verb == verbCreate:
		s.uid++
		rec := r.record
		rec.UID = strconv.Itoa(s.uid)
		return s.put(rec), nil
	case s.record == nil:
		return lease.Record{}, lease.ErrNotFound
	case r.verb == verbGet:
		return *s.record, nil
	case r.record.UID != s.record.UID || r.record.Version != s.record.Version:
		return lease.Record{}, lease.ErrConflict
	}
	return s.put(r.record), nil
}
