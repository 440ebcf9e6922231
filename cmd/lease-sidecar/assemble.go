package main

import (
	"errors"
	"log/slog"

	"github.com/lease-sidecar/lease-sidecar/internal/health"
	"github.com/lease-sidecar/lease-sidecar/internal/httpapi"
	"github.com/lease-sidecar/lease-sidecar/internal/metrics"
	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/internal/stopwait"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/file"
)

// assemble puts the parts together, and binds the addresses. quit ends the sidecar as SIGTERM does.
func (s settings) assemble(log *slog.Logger, store lease.Store, hold *elector.Hold, identity naming.Identity, quit func(error)) (_ *sidecar, err error) {
	c := &sidecar{log: log, told: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	clock := bootclock.System{}
	config := s.election
	config.Identity, config.ExitOnLoss = identity, s.exitOnLoss
	deps := elector.Deps{Store: store, Clock: clock, Log: log}
	if hold != nil {
		deps.Hold = hold
	}
	c.elector, err = elector.New(config, deps)
	if err != nil {
		return nil, err
	}
	c.board = health.NewBoard(c.elector)
	c.light = newLight(clock)
	feed := httpapi.NewFeed(clock)
	if c.sights, err = s.openSights(log, clock, store, c.crashed); err != nil {
		return nil, err
	}
	near, err := s.openOutlets(c, log, clock, quit)
	if err != nil {
		return nil, err
	}
	outputs := append([]signals.Signal{feed}, near.signals...)
	far := s.remote.open(log, clock, store)
	metrics := metrics.New(metrics.Config{
		Lease: s.election.Lease, Version: versionText(), Clock: clock, Signals: namesOf(append(far.all(), outputs...)),
		Leadership: c.elector.Leadership, Healthy: c.healthy,
	})
	c.fanOut = signals.NewFanOut(log, clock, metrics, outputs...)
	c.remote = far.drive(log, clock, metrics)
	waiter := stopwait.New(stopwait.Config{
		Clock: clock, Applied: c.settle, StopTimeout: s.stopTimeout, DrainTimeout: s.drainTimeout,
		KillMargin: s.election.KillMargin(), Sights: append(near.sights, c.sights.all...), Abandoned: c.abandoned, Log: log,
	})
	c.publish = c.publisher(metrics, waiter)
	c.outputs = elector.Outputs{Publish: c.publish, StopWait: waiter.Wait, Observer: metrics}
	app := httpapi.NewApp(httpapi.AppConfig{
		Election: c.elector, Clock: clock, Feed: feed, Drained: waiter.Drained, Quit: func() { quit(errors.New("ended by POST /quitquitquit")) }, AllowStepDown: s.allowStepDown,
		Compat: s.compat, Running: c.sights.running, Pod: thisPod(),
	})
	probes := httpapi.NewProbes(httpapi.ProbesConfig{
		Election: c.elector, Clock: clock, Started: c.started.Load, Metrics: metrics,
	})
	return c, errors.Join(c.listen("http-address", s.httpAddress, app), c.listen("probe-address", s.probeAddress, c.light.watching(probes)))
}

// outlets are what tells the workload of this pod, and what sees it.
type outlets struct {
	signals []signals.Signal
	sights  []sight.Sight
}

// openOutlets opens what the settings ask for, and leaves it with c, which closes it.
func (s settings) openOutlets(c *sidecar, log *slog.Logger, clock bootclock.Clock, quit func(error)) (o outlets, err error) {
	if s.signalDir != "" {
		if c.file, err = file.New(s.signalDir, clock, log); err != nil {
			return o, err
		}
		o.signals = append(o.signals, c.file)
	}
	if s.health.check.On() {
		if c.health, err = s.health.open(log, c.board.Voice("health")); err != nil {
			return o, err
		}
		if s.health.provesStop && s.child.command == nil && !s.process.Target.Given() { // what is seen itself is seen to its very end
			o.sights = append(o.sights, c.health.Endpoint())
		}
	}
	if c.process, err = openProcess(s.process, log, func() { _ = c.elector.StepDown("the process has ended") }); err != nil {
		return o, err
	}
	if c.process != nil {
		o.signals, o.sights = append(o.signals, c.process), append(o.sights, c.process)
	}
	if s.child.command != nil {
		if c.command, err = s.child.open(log, s.election, s.stopTimeout, commandElection{c.elector, c.board.Voice("command")}, quit); err != nil {
			return o, err
		}
		o.signals, o.sights = append(o.signals, c.command), append(o.sights, c.command)
	}
	return o, nil
}

func namesOf(outputs []signals.Signal) []string {
	var names []string
	for _, output := range outputs {
		names = append(names, output.Name())
	}
	return names
}
