//go:build linux

package sidecar

import (
	"errors"
	"log/slog"

	"github.com/lease-sidecar/lease-sidecar/internal/footprint"
	"github.com/lease-sidecar/lease-sidecar/internal/health"
	"github.com/lease-sidecar/lease-sidecar/internal/httpapi"
	"github.com/lease-sidecar/lease-sidecar/internal/metrics"
	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/internal/stopwait"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/file"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/process"
)

// assemble puts the parts together, and binds the addresses. quit ends the sidecar as SIGTERM does.
func (s *Sidecar) assemble(hold *elector.Hold, identity naming.Identity, quit func(error)) (_ *candidate, err error) {
	log := s.cfg.Log
	c := &candidate{log: log, first: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	clock := bootclock.System{}
	config := s.cfg.Election
	config.Identity = identity
	deps := elector.Deps{Store: s.store, Clock: clock, Log: log}
	if hold != nil {
		deps.Hold = hold
	}
	c.elector, err = elector.New(config, deps)
	if err != nil {
		return nil, err
	}
	c.board = health.NewBoard(c.elector)
	c.light = footprint.New(clock)
	feed := httpapi.NewFeed(clock)
	if c.sights, err = s.cfg.openSights(log, clock, s.api, c.crashed); err != nil {
		return nil, err
	}
	near, err := s.cfg.openOutlets(c, quit, log, clock)
	if err != nil {
		return nil, err
	}
	outputs := []signals.Output{{Signal: feed}}
	for _, signal := range near.signals {
		outputs = append(outputs, signals.Output{Signal: signal})
	}
	far, events := s.cfg.openRemote(log, clock, s.api)
	outputs, c.events = append(outputs, far...), events
	metrics := metrics.New(metrics.Config{
		Lease: s.cfg.Election.Lease, Version: s.cfg.Version, Clock: clock, Signals: namesOf(outputs),
		Leadership: c.elector.Leadership, Healthy: c.healthy,
	})
	c.fanOut = signals.NewFanOut(log, clock, metrics, outputs...)
	waiter := stopwait.New(stopwait.Config{
		Clock: clock, Applied: c.fanOut.WaitApplied, StopTimeout: s.cfg.StopTimeout, DrainTimeout: s.cfg.DrainTimeout,
		KillMargin: s.cfg.Election.KillMargin(), Sights: append(near.sights, c.sights.all...), Abandoned: c.abandoned, Log: log,
	})
	c.publish = c.publisher(metrics, waiter)
	c.outputs = elector.Outputs{Publish: c.publish, StopWait: waiter.Wait, Observer: metrics}
	app := httpapi.NewWorkloadHandler(httpapi.WorkloadConfig{
		Election: c.elector, Clock: clock, Feed: feed, Drained: waiter.Drained, Quit: func() { quit(errQuit) }, AllowStepDown: s.cfg.AllowStepDown,
		Compat: s.cfg.Compat, Running: c.sights.running, Pod: s.cfg.Pod,
	})
	probes := httpapi.NewProbeHandler(httpapi.ProbeConfig{
		Election: c.elector, Clock: clock, Started: c.started.Load, Metrics: metrics,
	})
	return c, errors.Join(
		c.listen("HTTPAddress", "http-address", s.cfg.HTTPAddress, app),
		c.listen("ProbeAddress", "probe-address", s.cfg.ProbeAddress, c.light.Watching(probes)))
}

// outlets are what signals the workload of this pod, and what sees it.
type outlets struct {
	signals []signals.Signal
	sights  []sight.Sight
}

// openOutlets opens what the configuration asks for, and leaves it with c, which closes it.
func (cfg Config) openOutlets(c *candidate, quit func(error), log *slog.Logger, clock bootclock.Clock) (o outlets, err error) {
	if cfg.SignalDir != "" {
		if c.file, err = file.New(cfg.SignalDir, clock, log); err != nil {
			return o, err
		}
		o.signals = append(o.signals, c.file)
	}
	if cfg.Health.On() {
		check := cfg.Health
		check.Clock, check.Log = clock, log
		if c.health, err = health.New(check, c.board.Voice("health")); err != nil {
			return o, err
		}
		if cfg.HealthProvesStop && cfg.Command == nil && !cfg.Process.Target.Given() { // what is seen itself is seen to its very end
			o.sights = append(o.sights, c.health.Endpoint())
		}
	}
	if cfg.Process.Target.Given() {
		target := cfg.Process
		target.Clock, target.Log = clock, log
		target.Crashed = func() { _ = c.elector.StepDown("the process has ended") } // an error: it leads no more
		if c.process, err = process.New(target); err != nil {
			return o, err
		}
		o.signals, o.sights = append(o.signals, c.process), append(o.sights, c.process)
	}
	if cfg.Command != nil {
		if c.command, err = cfg.openCommand(c.elector, c.board.Voice("command"), quit, clock, log); err != nil {
			return o, err
		}
		o.signals, o.sights = append(o.signals, c.command), append(o.sights, c.command)
	}
	return o, nil
}

func namesOf(outputs []signals.Output) []string {
	var names []string
	for _, output := range outputs {
		names = append(names, output.Signal.Name())
	}
	return names
}
