package control

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// maxBeatAge is how old the loop's last turn may be before the loop counts as stuck. It turns once a second at least;
// the rest is for machines under load, as a restart costs more than it mends.
const maxBeatAge = 5 * time.Second

// ProbesConfig is what the probes' handler needs; all of it.
type ProbesConfig struct {
	// Election is what is probed.
	Election Election
	// Clock judges the loop's age and the answers.
	Clock bootclock.Clock
	// Started reports whether the first state is written and the listeners are bound.
	Started func() bool
	// Metrics serves GET /metrics.
	Metrics http.Handler
}

// NewProbes returns the handler for --probe-address. It takes no orders.
func NewProbes(c ProbesConfig) http.Handler {
	p := probes{ProbesConfig: c, since: c.Clock.Now()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", answer(p.live))
	mux.HandleFunc("GET /readyz", answer(p.ready))
	mux.HandleFunc("GET /startupz", answer(p.started))
	mux.HandleFunc("GET /leader", leader(c.Election, c.Clock))
	mux.Handle("GET /metrics", c.Metrics)
	return plain(mux)
}

type probes struct {
	ProbesConfig
	since bootclock.Instant // a loop that has not turned yet is as old as this
}

// live fails when the loop is stuck, which only a restart mends.
func (p probes) live() error {
	if age := p.Clock.Now().Sub(max(p.Election.Beat(), p.since)); age > maxBeatAge {
		return fmt.Errorf("the election's loop has not turned for %s (at most %s)", age.Round(time.Millisecond), maxBeatAge)
	}
	return nil
}

// ready means that this replica campaigns, never that it leads: a rollout that waits for a second leader waits forever.
// The election does not take it back, or one outage of the API would empty every Service.
func (p probes) ready() error {
	if !p.Election.Ready() {
		return errors.New("the Lease has not been read yet: see the sidecar's log for the reason")
	}
	return nil
}

func (p probes) started() error {
	if !p.Started() {
		return errors.New("the first state is not written, or the listeners are not bound: see the sidecar's log for the reason")
	}
	return nil
}

// answer makes a probe of a check: 200 "ok", or 503 and the reason.
func answer(check func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		status, text := http.StatusOK, "ok"
		if err := check(); err != nil {
			status, text = http.StatusServiceUnavailable, err.Error()
		}
		reply(w, status, "text/plain; charset=utf-8", []byte(text+"\n"))
	}
}
