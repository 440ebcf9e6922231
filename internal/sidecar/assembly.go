//go:build linux

package sidecar

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

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

// assembly is one run of a sidecar. Each piece is built from earlier ones: first the elector, then the parts that command
// it, then the fan-out, the metrics and the waiter, which are the elector's outputs.
type assembly struct {
	*kit
	fanOut    *signals.FanOut
	counts    *metrics.Metrics
	waiter    *stopwait.Waiter
	outputs   elector.Outputs
	listeners []*httpapi.Listener
	first     chan struct{} // closed at the first publication
	started   atomic.Bool   // the first state is written
}

// build builds an assembly and binds its addresses. quit ends the sidecar in good order. The hold may be nil.
func (s *Sidecar) build(hold *elector.Hold, identity naming.Identity, quit func(error)) (*assembly, error) {
	clock, election := bootclock.System{}, s.cfg.Election
	election.Identity = identity
	deps := elector.Deps{Store: s.store, Clock: clock, Log: s.log}
	if hold != nil {
		deps.Hold = hold
	}
	e, err := elector.New(election, deps)
	if err != nil {
		return nil, err
	}
	k := &kit{cfg: s.cfg, log: s.log, clock: clock, elector: e, api: s.api, quit: quit}
	if k.members, err = s.newMembers(e, k); err != nil {
		return nil, err
	}
	k.board = health.NewBoard(k.candidate())
	if err := k.build(); err != nil {
		return nil, err
	}
	a := &assembly{kit: k, first: make(chan struct{})}
	a.addOutputs()
	if err := a.bind(); err != nil {
		return nil, errors.Join(err, a.close())
	}
	return a, nil
}

// addOutputs builds the elector's outputs: the fan-out over the signals, the metrics and the waiter.
func (a *assembly) addOutputs() {
	election, outputs := a.cfg.Election, a.signalOutputs()
	var names []string
	for _, output := range outputs {
		names = append(names, output.Signal.Name())
	}
	a.counts = metrics.New(metrics.Config{
		Lease: election.Lease, Version: a.cfg.Version, Clock: a.clock, Signals: names, Leadership: a.elector.Leadership,
		Healthy: a.healthy, Members: a.memberMetrics(),
	})
	a.fanOut = signals.NewFanOut(a.log, a.clock, a.counts, outputs...)
	a.waiter = stopwait.New(stopwait.Config{
		Clock: a.clock, Applied: a.fanOut.WaitApplied, StopTimeout: a.cfg.StopTimeout, DrainTimeout: a.cfg.DrainTimeout,
		KillMargin: election.KillMargin(), Sights: a.sights(), Abandoned: a.abandoned, Log: a.log,
	})
	a.outputs = elector.Outputs{Publish: a.publisher(), StopWait: a.waiter.Wait, Observer: a.counts}
	a.outputs.Wished = a.wished()
}

func (a *assembly) bind() error {
	workload := httpapi.NewWorkloadHandler(httpapi.WorkloadConfig{
		Election: a.candidate(), Clock: a.clock, Feed: a.feed, Running: a.running, Members: a.memberDocument(), Drained: a.waiter.Drained, Quit: func() { a.quit(errQuit) },
		AllowStepDown: a.cfg.AllowStepDown, Compat: a.cfg.Compat, Pod: a.cfg.Pod,
	})
	probes := httpapi.NewProbeHandler(httpapi.ProbeConfig{Election: a.elector, Clock: a.clock, Started: a.started.Load, Metrics: a.counts})
	var debug http.Handler
	if a.cfg.DebugAddress != "" {
		debug = httpapi.NewDebugHandler()
	}
	return errors.Join(
		a.listen("DebugAddress", "debug-address", a.cfg.DebugAddress, debug, httpapi.MaxDebugConnections),
		a.listen("HTTPAddress", "http-address", a.cfg.HTTPAddress, workload, httpapi.MaxWorkloadConnections),
		a.listen("ProbeAddress", "probe-address", a.cfg.ProbeAddress, probes, httpapi.MaxProbeConnections))
}

// publisher returns the function that takes each published leadership. Calls do not overlap.
func (a *assembly) publisher() func(leadership.Leadership) {
	published := sync.OnceFunc(func() { close(a.first) })
	return func(l leadership.Leadership) {
		a.waiter.Observe(l)
		a.observe(l)
		a.fanOut.Publish(l)
		a.counts.Published(l)
		published()
	}
}

// abandoned records a drain that was given up while the workload was seen running.
func (a *assembly) abandoned(d elector.Drain, running []string) {
	if a.events == nil {
		return
	}
	l := a.elector.Leadership()
	a.events.Warn(l, "DrainAbandoned", fmt.Sprintf("%s gave up its handover (token %s): the workload still runs (%s), and its work may overlap with the next leader's",
		l.Identity, d.Token, strings.Join(running, ", ")))
}

// listen binds an address, unless it is "", for at most that many connections.
func (a *assembly) listen(field, purpose, address string, handler http.Handler, most int) error {
	if address == "" {
		return nil
	}
	listener, err := httpapi.Listen(address, handler, a.log.With("for", purpose), most)
	if err != nil {
		return &ResourceError{Field: field, err: err}
	}
	a.log.Info("listening", "reason", "Listening", "for", purpose, "addresses", listener.Addrs())
	a.listeners = append(a.listeners, listener)
	return nil
}

// close closes what build opened, if run has not.
func (a *assembly) close() error {
	var faults []error
	for _, l := range a.listeners {
		faults = append(faults, l.Close())
	}
	a.listeners = nil
	return errors.Join(append(faults, a.parts.close())...)
}
