package main

import (
	"context"
	"log/slog"
	"os"
	"strings"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/internal/sight/podstatus"
	"github.com/lease-sidecar/lease-sidecar/internal/sight/processes"
	"github.com/lease-sidecar/lease-sidecar/internal/sight/runlock"
	"github.com/lease-sidecar/lease-sidecar/internal/sight/running"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
)

// sightOptions are the options that say by what the workload is seen. The run lock and GET /running need none.
var sightOptions = []string{"watch-processes", "watch-processes-except", "watch-pod", "watch-pod-container"}

// sightSettings is what was said about them.
type sightSettings struct {
	processes bool
	except    []string
	pod       *podstatus.Config // nil for none; its API and Log are set by open
}

// sights reads by what the workload is seen. namespace is the Lease's.
func (a answers) sights(namespace string) sightSettings {
	var s sightSettings
	except, err := processes.ParseNames(a.text("watch-processes-except"))
	if err != nil {
		a.addf("--watch-processes-except %q: %w", a.text("watch-processes-except"), err)
	}
	s.except = except
	switch text := a.text("watch-processes"); text {
	case "":
		if a.text("watch-processes-except") != "" {
			a.addf("--watch-processes-except %q: no processes are watched: add --watch-processes all", a.text("watch-processes-except"))
		}
	case "all":
		s.processes = true
		if err := processes.CheckNamespace(); err != nil {
			a.addf("--watch-processes %q: %w", text, err)
		}
	default:
		a.addf("--watch-processes %q: want all", text)
	}
	s.pod = a.watchPod(namespace)
	return s
}

// watchPod reads whether the pod's own status is watched, and whose it is.
func (a answers) watchPod(namespace string) *podstatus.Config {
	if !a.toggle("watch-pod") {
		return nil
	}
	pod := &podstatus.Config{
		Pod: os.Getenv("POD_NAME"), UID: os.Getenv("POD_UID"), Namespace: os.Getenv("POD_NAMESPACE"),
		Container: a.text("watch-pod-container"),
	}
	if pod.Namespace == "" {
		pod.Namespace = namespace
	}
	if pod.Pod == "" || pod.UID == "" {
		a.addf("--watch-pod: which pod is this? Set POD_NAME and POD_UID from the downward API (metadata.name, metadata.uid)")
	}
	if store := a.text("store"); strings.HasPrefix(store, "dir:") {
		a.addf("--watch-pod: it needs an API server, which --store %s does without: leave it out, or set --store kube", store)
	}
	return pod
}

// sights are what sees the workload, apart from what also tells it.
type sights struct {
	all     []sight.Sight
	lock    *runlock.RunLock // nil without a signal directory
	running *running.Running
}

// openSights opens what the settings ask for. crashed is told which sight has seen the workload end while this replica
// leads.
func (s settings) openSights(log *slog.Logger, clock bootclock.Clock, api *kube.Client, crashed func(sight string)) (_ sights, err error) {
	o := sights{running: running.New(running.Config{Clock: clock, Ended: func() { crashed("running") }, Log: log})}
	o.all = append(o.all, o.running)
	if s.signalDir != "" {
		o.lock, err = runlock.New(runlock.Config{Dir: s.signalDir, Clock: clock, Ended: func() { crashed("run-lock") }, Log: log})
		if err != nil {
			return sights{}, err
		}
		o.all = append(o.all, o.lock)
	}
	if s.sights.processes {
		o.all = append(o.all, processes.New(processes.Config{Except: s.sights.except, Log: log}))
	}
	if s.sights.pod != nil && api != nil { // the options refuse it without an API server
		config := *s.sights.pod
		config.API, config.Log = api, log
		o.all = append(o.all, podstatus.New(config))
	}
	return o, nil
}

// level takes note of what the workload is about to be told.
func (o sights) level(l leadership.Leadership) {
	o.running.Level(l)
	if o.lock != nil {
		o.lock.Level(l)
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
func (c *sidecar) crashed(sight string) {
	c.log.Warn("the workload has ended while this replica leads: handing over", "reason", "WorkloadEnded", "sight", sight)
	_ = c.elector.StepDown("the workload has ended (" + sight + ")") // an error: it leads no more
}
