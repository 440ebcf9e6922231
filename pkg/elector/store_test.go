package elector

import (
	"errors"
	"strconv"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

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
	return lease.Reply{Record: s.put(r.record)}, nil
}
