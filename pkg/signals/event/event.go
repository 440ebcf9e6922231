// Package event signals by Events on the Lease, in the form of client-go's leader election: reason LeaderElection, "X became
// leader" and "X stopped leading". Tools that watch for those keep working, and kubectl describe lease shows them. Warnings,
// such as an abandoned handover, are Events of type Warning.
//
// Events are best effort. One that the API server refuses, or does not take within a minute, is given up and logged.
// Transitions that come faster than Events can be sent are merged. A leader that dies records nothing.
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
	// attemptTimeout bounds one Event, with both of its requests.
	attemptTimeout = 3 * time.Second
	// worth is how long the Event of a transition is retried.
	worth = time.Minute
	// queued bounds the waiting warnings: an API server that takes none of these would take no more.
	queued = 8
	// lastWarnings bounds the recording of waiting warnings after Run's context has ended.
	lastWarnings = time.Second
)

// Config says who records. Every field but Host is required.
type Config struct {
	// API is the way to the API server.
	API apiserver.Client
	// Host is the node's name; "" if unknown.
	Host string
	// Clock judges terms and dates the Events.
	Clock bootclock.Clock
	// Log records Events that were given up.
	Log *slog.Logger
}

// Signal records the begin and end of this replica's terms, and warnings.
type Signal struct {
	cfg      Config
	warnings chan warning

	recorded string            // the token whose begin is recorded and whose end is not; "" for none
	resumes  bool              // recorded is from an earlier process, and no leadership has come since
	lease    reference         // as of that begin
	pending  string            // the token being recorded, or "" for the end
	since    bootclock.Instant // when pending was first tried; 0: nothing is pending. An attempt may have been carried out unheard
	wall     time.Time
}

var _ signals.Signal = (*Signal)(nil)

// warning is an Event that is not a transition.
type warning struct {
	of              leadership.Leadership // names the Lease
	reason, message string
}

// New returns the signal. It makes no request.
func New(cfg Config) *Signal { return &Signal{cfg: cfg, warnings: make(chan warning, queued)} }

// Name returns "lease-events", since "events" is the stream over HTTP.
func (s *Signal) Name() string { return "lease-events" }

// Resume says that an earlier process of the same identity recorded the begin of l's term. If this process leads on from it,
// no Event is due; otherwise the term's end is. Call it before the first Apply.
func (s *Signal) Resume(l leadership.Leadership) { s.recorded, s.resumes = l.Token, true }

// Apply records the transition to l, if it is one. It takes at most 3 s.
func (s *Signal) Apply(ctx context.Context, l leadership.Leadership) error {
	now := s.cfg.Clock.Now()
	l = l.At(now)
	if s.resumes && l.IsLeader {
		s.recorded = l.Token // a new token, without a gap before it
	}
	s.resumes = false
	if l.Token == s.recorded && s.since == 0 {
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

// refused reports whether another attempt would be refused too.
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

// Warn queues a Warning on the Lease of l. It never blocks: with 8 waiting, it gives up. It is safe for concurrent use.
func (s *Signal) Warn(l leadership.Leadership, reason, message string) {
	select {
	case s.warnings <- warning{l, reason, message}:
	default:
		s.giveUp(l, errors.New("too many Events wait"))
	}
}

// Run records warnings until ctx ends, each in one attempt of at most 3 s. Then it records those that wait, for at most 1 s.
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

// giveUp logs that an Event is not recorded and not retried.
func (s *Signal) giveUp(l leadership.Leadership, err error) {
	s.cfg.Log.Warn("event given up", "reason", "EventGivenUp", "lease", l.Lease, "error", err)
}
