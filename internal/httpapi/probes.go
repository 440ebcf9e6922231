package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/podid"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// aliveWithin is how long the election's loop may take to answer before it counts as stuck. It needs milliseconds; the rest
// is for loaded machines, as a needless restart costs more than it fixes.
const aliveWithin = 5 * time.Second

// ProbeConfig is what the probe handler needs. Every field is required.
type ProbeConfig struct {
	// Election is the probed election.
	Election Election
	// Clock judges the answers.
	Clock bootclock.Clock
	// Started reports whether the first state is written and the listeners are bound.
	Started func() bool
	// Metrics serves GET /metrics.
	Metrics http.Handler
}

// NewProbeHandler returns the handler for the kubelet and Prometheus. It takes no orders.
func NewProbeHandler(c ProbeConfig) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", answer(c.live))
	mux.HandleFunc("GET /readyz", answer(c.ready))
	mux.HandleFunc("GET /startupz", answer(c.started))
	mux.HandleFunc("GET /leader", leader(c.Election, c.Clock))
	mux.Handle("GET /metrics", c.Metrics)
	return plain(podid.Pod{}, explained(mux))
}

// live fails if the loop is stuck, which only a restart fixes.
func (c ProbeConfig) live(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, aliveWithin)
	defer cancel()
	if err := c.Election.Alive(ctx); err != nil {
		return fmt.Errorf("the election's loop did not answer within %s: %w", aliveWithin, err)
	}
	return nil
}

// ready means that this replica campaigns, not that it leads: a rollout would wait forever for a second leader. The election
// does not take it back, as one API outage would then empty every Service.
func (c ProbeConfig) ready(context.Context) error { return c.Election.Ready() }

func (c ProbeConfig) started(context.Context) error {
	if !c.Started() {
		return errors.New("the first state is not written, or the listeners are not bound: see the sidecar's log for the reason")
	}
	return nil
}

// answer turns a check into a handler: 200 "ok", or 503 and the reason.
func answer(check func(context.Context) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status, text := http.StatusOK, "ok"
		if err := check(r.Context()); err != nil {
			status, text = http.StatusServiceUnavailable, err.Error()
		}
		reply(w, status, "text/plain; charset=utf-8", []byte(text+"\n"))
	}
}
