package event

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

const (
	// attemptTimeout bounds one Apply, both of its requests together.
	attemptTimeout = 3 * time.Second
	// worth is how long an Event is tried for.
	worth = time.Minute
)

// API sends one request to the API server and returns the answer's body. Errors of requests that the server answered
// have a method HTTPStatus() int.
type API interface {
	Send(ctx context.Context, method, path string, body []byte) ([]byte, error)
}

// Config says who records; all of it but Host is needed.
type Config struct {
	// API is the way to the API server.
	API API
	// Host is the node's name; "" where it is not known.
	Host string
	// Clock judges terms, and its wall clock dates the Events.
	Clock bootclock.Clock
	// Log takes Events that were given up.
	Log *slog.Logger
}

// Signal records the beginning and the end of this replica's terms.
type Signal struct {
	cfg Config

	recorded string            // the token whose beginning was recorded and whose end was not; "" for none
	lease    reference         // as of that beginning
	pending  string            // the token, or "" for the end, that is being tried
	since    bootclock.Instant // when it was first tried; 0 for nothing pending
	wall     time.Time
}

// New returns the signal. It contacts nobody.
func New(cfg Config) *Signal { return &Signal{cfg: cfg} }

// Name returns "lease-events"; "events" is the stream over HTTP.
func (s *Signal) Name() string { return "lease-events" }

// Apply records the transition that leads to the level, if it is one. It takes 3 s at the most.
func (s *Signal) Apply(ctx context.Context, l leadership.Leadership) error {
	now := s.cfg.Clock.Now()
	l = l.At(now)
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
	if err != nil { // handled here: nobody tries again
		s.cfg.Log.Warn("event given up", "lease", l.Lease, "error", err)
	}
	s.recorded, s.since = l.Token, 0
	return nil
}

// refused reports whether the API server will not take it in another attempt either.
func refused(err error) bool {
	var answered interface{ HTTPStatus() int }
	if !errors.As(err, &answered) {
		return false
	}
	code := answered.HTTPStatus()
	return code >= 400 && code < 500 && code != http.StatusTooManyRequests && code != http.StatusRequestTimeout
}

func (s *Signal) record(ctx context.Context, l leadership.Leadership) error {
	what := "stopped leading"
	if l.IsLeader || s.lease.UID == "" {
		found, err := s.find(ctx, l)
		if err != nil {
			return fmt.Errorf("read the Lease for an Event: %w", err)
		}
		s.lease = found
	}
	if l.IsLeader {
		what = "became leader"
	}
	return s.post(ctx, s.object(s.lease, s.wall, word{"Normal", "LeaderElection", l.Identity + " " + what}))
}
