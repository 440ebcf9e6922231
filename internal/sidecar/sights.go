//go:build linux

package sidecar

import (
	"context"
	"log/slog"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/internal/sight/podstatus"
	"github.com/lease-sidecar/lease-sidecar/internal/sight/processes"
	"github.com/lease-sidecar/lease-sidecar/internal/sight/runlock"
	"github.com/lease-sidecar/lease-sidecar/internal/sight/running"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
)

// sights are what sees the workload, apart from what also tells it.
type sights struct {
	all     []sight.Sight
	lock    *runlock.RunLock // nil without a signal directory
	running *running.Running
}

// openSights opens what the settings ask for. crashed is told which sight has seen the workload end while this replica
// leads.
func (cfg Config) openSights(log *slog.Logger, clock bootclock.Clock, api *kube.Client, crashed func(sight string)) (_ sights, err error) {
	o := sights{running: running.New(running.Config{Clock: clock, Ended: func() { crashed("running") }, Log: log})}
	o.all = append(o.all, o.running)
	if cfg.SignalDir != "" {
		o.lock, err = runlock.New(runlock.Config{Dir: cfg.SignalDir, Clock: clock, Ended: func() { crashed("run-lock") }, Log: log})
		if err != nil {
			return sights{}, err
		}
		o.all = append(o.all, o.lock)
	}
	if cfg.WatchProcesses {
		o.all = append(o.all, processes.New(processes.Config{Except: cfg.WatchExcept, Log: log}))
	}
	if cfg.WatchPod != nil && api != nil {
		config := *cfg.WatchPod
		config.API, config.Clock, config.Log = api, clock, log
		o.all = append(o.all, podstatus.New(config))
	}
	return o, nil
}

// level takes note of what the workload is about to be told.
func (o sights) level(l leadership.Leadership) {
	o.running.Observe(l)
	if o.lock != nil {
		o.lock.Observe(l)
	}
}

// run looks until ctx ends.
func (o sights) run(ctx context.Context) {
	if o.lock != nil {
		o.lock.Run(ctx)
	}
}

func (o sights) close() error {
	if o.lock != nil {
		return o.lock.Close()
	}
	return nil
}

// crashed hands over, as the workload has ended while this replica leads.
func (c *candidate) crashed(sight string) {
	c.log.Warn("the workload has ended while this replica leads: handing over", "reason", "WorkloadEnded", "sight", sight)
	_ = c.elector.StepDown("the workload has ended (" + sight + ")") // an error: it leads no more
}
