//go:build linux

package sidecar

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/lease-sidecar/lease-sidecar/internal/footprint"
	"github.com/lease-sidecar/lease-sidecar/internal/health"
	"github.com/lease-sidecar/lease-sidecar/internal/httpapi"
	"github.com/lease-sidecar/lease-sidecar/internal/metrics"
	"github.com/lease-sidecar/lease-sidecar/internal/stopwait"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals"
)

// candidate is what one run of a sidecar consists of. Whatever it is built from exists before it: first the elector, then the parts
// that command it, then the fan-out, the metrics and the waiter, which the elector gets as its outputs when it runs.
type candidate struct {
	log     *slog.Logger
	elector *elector.Elector
	outputs elector.Outputs
	parts   *parts
	fanOut  *signals.FanOut
	trimmer *footprint.Trimmer
	sites   []site
	first   chan struct{} // closed at the first publication
	started *atomic.Bool  // the first state is written
}

// site is a bound address and what is served there.
type site struct {
	listener *httpapi.Listener
	handler  http.Handler
}

// build builds a candidate, and binds the addresses. quit ends the sidecar in good order. The hold may be nil.
func (s *Sidecar) build(hold *elector.Hold, identity naming.Identity, quit func(error)) (_ *candidate, err error) {
	cfg, log, clock := s.cfg, s.log, bootclock.System{}
	election := cfg.Election
	election.Identity = identity
	deps := elector.Deps{Store: s.store, Clock: clock, Log: log}
	if hold != nil {
		deps.Hold = hold
	}
	e, err := elector.New(election, deps)
	if err != nil {
		return nil, err
	}
	k := kit{cfg: cfg, log: log, clock: clock, elector: e, board: health.NewBoard(e), api: s.api, quit: quit}
	if err := k.build(); err != nil {
		return nil, err
	}
	c := &candidate{log: log, elector: e, parts: &k.parts, trimmer: footprint.New(clock), first: make(chan struct{}), started: &atomic.Bool{}}
	outputs := c.parts.outputs()
	counts := metrics.New(metrics.Config{
		Lease: election.Lease, Version: cfg.Version, Clock: clock, Signals: namesOf(outputs), Leadership: e.Leadership, Healthy: c.parts.healthy,
	})
	c.fanOut = signals.NewFanOut(log, clock, counts, outputs...)
	waiter := stopwait.New(stopwait.Config{
		Clock: clock, Applied: c.fanOut.WaitApplied, StopTimeout: cfg.StopTimeout, DrainTimeout: cfg.DrainTimeout,
		KillMargin: election.KillMargin(), Sights: c.parts.sights(), Abandoned: c.abandoned, Log: log,
	})
	c.outputs = elector.Outputs{Publish: c.publisher(counts, waiter), StopWait: waiter.Wait, Observer: counts}
	workload := httpapi.NewWorkloadHandler(httpapi.WorkloadConfig{
		Election: e, Clock: clock, Feed: k.feed, Running: k.running, Drained: waiter.Drained, Quit: func() { quit(errQuit) },
		AllowStepDown: cfg.AllowStepDown, Compat: cfg.Compat, Pod: cfg.Pod,
	})
	probes := httpapi.NewProbeHandler(httpapi.ProbeConfig{Election: e, Clock: clock, Started: c.started.Load, Metrics: counts})
	err = errors.Join(
		c.listen("HTTPAddress", "http-address", cfg.HTTPAddress, workload),
		c.listen("ProbeAddress", "probe-address", cfg.ProbeAddress, c.trimmer.Watching(probes)))
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// publisher returns what takes each leadership that the elector publishes. Calls do not overlap.
func (c *candidate) publisher(counts *metrics.Metrics, waiter *stopwait.Waiter) func(leadership.Leadership) {
	var last leadership.Leadership
	published := false
	return func(l leadership.Leadership) {
		if !l.SameTerm(last) {
			c.trimmer.Changed()
		}
		last = l
		waiter.Observe(l)
		c.parts.observe(l)
		c.fanOut.Publish(l)
		counts.Published(l)
		if !published {
			published = true
			close(c.first)
		}
	}
}

// abandoned records a drain that was given up while the workload was seen to run.
func (c *candidate) abandoned(d elector.Drain, running []string) {
	if c.parts.events == nil {
		return
	}
	l := c.elector.Leadership()
	c.parts.events.Warn(l, "DrainAbandoned", fmt.Sprintf("%s gave up its handover (token %s): the workload still runs (%s), and its work may overlap with the next leader's",
		l.Identity, d.Token, strings.Join(running, ", ")))
}

// listen binds an address; "" is none.
func (c *candidate) listen(field, purpose, address string, handler http.Handler) error {
	if address == "" {
		return nil
	}
	listener, err := httpapi.Listen(address, c.log)
	if err != nil {
		return &ResourceError{Field: field, err: err}
	}
	c.log.Info("listening", "reason", "Listening", "for", purpose, "addresses", listener.Addrs())
	c.sites = append(c.sites, site{listener, handler})
	return nil
}

// close closes what build opened, where run has not.
func (c *candidate) close() error {
	var faults []error
	for _, s := range c.sites {
		faults = append(faults, s.listener.Close())
	}
	c.sites = nil
	return errors.Join(append(faults, c.parts.close())...)
}

func namesOf(outputs []signals.Output) []string {
	var names []string
	for _, output := range outputs {
		names = append(names, output.Signal.Name())
	}
	return names
}
