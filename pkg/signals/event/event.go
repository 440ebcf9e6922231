// Package event is the signal by Events on the Lease, in the form of client-go's leader election: reason
// LeaderElection, "X became leader" and "X stopped leading", so that what watches for those goes on working, and
// kubectl describe lease shows them. Warnings, such as a handover that was given up, are Events of the type Warning.
//
// It promises to be best effort, and no more: an Event that the API server refuses, or does not take within a minute,
// is given up and logged; transitions that follow each other faster than Events can be sent become one. A leader that
// dies records nothing.
//
//	leadership ── a new token ──▶ GET the Lease (its UID) ──▶ POST "became leader"
//	          └── no more ───────────────────────────────▶ POST "stopped leading"
//	Warn ──▶ a queue of 8 ── Run ──▶ GET the Lease ──▶ POST
package event

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/apiserver"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals"
)

const (
	// attemptTimeout bounds one Event, both of its requests together.
	attemptTimeout = 3 * time.Second
	// worth is how long the Event of a transition is tried for.
	worth = time.Minute
	// queued bounds the warnings that wait: an API server that takes none of these would take no more.
	queued = 8
	// lastWarnings bounds the recording of the warnings that wait when Run ends.
	lastWarnings = time.Second
)

// Config says who records; all of it but Host is needed.
type Config struct {
	// API is the way to the API server.
	API apiserver.Client
	// Host is the node's name; "" where it is not known.
	Host string
	// Clock judges terms, and its wall clock dates the Events.
	Clock bootclock.Clock
	// Log takes Events that were given up.
	Log *slog.Logger
}

// Signal records the beginning and the end of this replica's terms, and warnings.
type Signal struct {
	cfg      Config
	warnings chan warning

	recorded string            // the token whose beginning was recorded and whose end was not; "" for none
	resumes  bool              // recorded is of a process before, and no leadership has come since
	lease    reference         // as of that beginning
	pending  string            // the token, or "" for the end, that is being tried
	since    bootclock.Instant // when it was first tried; 0 for nothing pending
	wall     time.Time
}

var _ signals.Signal = (*Signal)(nil)

// warning is an Event that is no transition.
type warning struct {
	of              leadership.Leadership // names the Lease
	reason, message string
}

// New returns the signal. It contacts nobody.
func New(cfg Config) *Signal { return &Signal{cfg: cfg, warnings: make(chan warning, queued)} }

// Name returns "lease-events"; "events" is the stream over HTTP.
func (s *Signal) Name() string { return "lease-events" }

// Resume says that a process before, of the same identity, has begun the term that l is of, and that this process may lead
// on from it. Call it before the first Apply. If that leads, it begins nothing anew; else it is the end of that term.
func (s *Signal) Resume(l leadership.Leadership) { s.recorded, s.resumes = l.Token, true }

// Apply records the transition that leads to l, if it is one. It takes 3 s at the most.
func (s *Signal) Apply(ctx context.Context, l leadership.Leadership) error {
	now := s.cfg.Clock.Now()
	l = l.At(now)
	if s.resumes && l.IsLeader {
		s.recorded = l.Token // a new token, and no gap before it
	}
	s.resumes = false
	if l.Token == s.recorded {
		s.since = 0
		return nil
	}
	if s.since == 0 || s.pending != l.Token {
		s.pending, s.since, s.wall = l.Token, now, s.cfg.Clock.Wall()
	}
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	err := s.record(ctx, l)
	if err != nil && !refused(err) && s.cfg.Clock.Now().Sub(s.since) < worth {
		return err
	}
	if err != nil {
		s.giveUp(l, err)
	}
	s.recorded, s.since = l.Token, 0
	return nil
}

// refused reports whether the API server would refuse another attempt too.
func refused(err error) bool {
	code := apiserver.Status(err)
	return code >= 400 && code < 500 && code != http.StatusTooManyRequests && code != http.StatusRequestTimeout
}

func (s *Signal) record(ctx context.Context, l leadership.Leadership) error {
	what := "stopped leading"
	if l.IsLeader || s.lease.UID == "" {
		found, err := s.find(ctx, l)
		if err != nil {
			return err
		}
		s.lease = found
	}
	if l.IsLeader {
		what = "became leader"
	}
	return s.post(ctx, s.object(s.lease, s.wall, text{"Normal", "LeaderElection", l.Identity + " " + what}))
}

// Warn queues one Event of the type Warning on the Lease that l names, for Run to record. It never blocks: where 8 wait
// already, the Event is given up. It may be called from several goroutines at once.
func (s *Signal) Warn(l leadership.Leadership, reason, message string) {
	select {
	case s.warnings <- warning{l, reason, message}:
	default:
		s.giveUp(l, errors.New("too many Events wait"))
	}
}

// Run records the warnings until ctx ends, each in one attempt of at most 3 s; and then those that wait, for at most 1 s.
func (s *Signal) Run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case w := <-s.warnings:
			s.warn(ctx, w)
		case <-ctx.Done():
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWarnings)
	defer cancel()
	for len(s.warnings) > 0 {
		s.warn(last, <-s.warnings)
	}
}

func (s *Signal) warn(ctx context.Context, w warning) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	lease, err := s.find(ctx, w.of)
	if err == nil {
		err = s.post(ctx, s.object(lease, s.cfg.Clock.Wall(), text{"Warning", w.reason, w.message}))
	}
	if err != nil {
		s.giveUp(w.of, err)
	}
}

// giveUp logs that an Event is not recorded. Nobody tries it again.
func (s *Signal) giveUp(l leadership.Leadership, err error) {
	s.cfg.Log.Warn("event given up", "reason", "EventGivenUp", "lease", l.Lease, "error", err)
}
