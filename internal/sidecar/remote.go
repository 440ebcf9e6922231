//go:build linux

package sidecar

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/event"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/podlabel"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/webhook"
)

// labelMoment is how long a handover waits for the label's removal. The one request that it takes is answered in
// milliseconds; where it is not, the release would have to wait for the same API server.
const labelMoment = 200 * time.Millisecond

// remoteSignals are the signals that go over the network, sorted by how far a handover waits for them.
type remoteSignals struct {
	sure  []signals.Signal // until they have told, or the term's end: a webhook of the workload
	brief []signals.Signal // a moment, or one attempt: the label
	loose []signals.Signal // not at all: Events, a webhook elsewhere
	event *event.Signal    // which is among them; nil without Events
}

// openRemote makes the signals that the configuration asks for.
func (cfg Config) openRemote(log *slog.Logger, clock bootclock.Clock, store lease.Store) remoteSignals {
	var r remoteSignals
	if cfg.Webhook != nil {
		config := *cfg.Webhook
		config.Clock = clock
		hook := webhook.New(config)
		if config.URL.Loopback() {
			r.sure = append(r.sure, hook)
		} else {
			r.loose = append(r.loose, hook)
		}
	}
	cluster, ok := store.(*kube.Store)
	if !ok {
		return r // and nothing below was asked for: the options are refused without an API server
	}
	if cfg.Label != nil {
		config := *cfg.Label
		config.API, config.Clock = cluster.Raw(), clock
		r.brief = append(r.brief, podlabel.New(config))
	}
	if cfg.Events {
		r.event = event.New(event.Config{API: cluster.Raw(), Host: cfg.Node, Clock: clock, Log: log})
		r.loose = append(r.loose, r.event)
	}
	return r
}

// all returns the signals.
func (r remoteSignals) all() []signals.Signal { return slices.Concat(r.sure, r.brief, r.loose) }

// remote drives the remote signals apart from the local ones: those drop first, and no network keeps them waiting.
type remote struct {
	sure, brief, loose *signals.FanOut
	warnings           *warnings // nil without Events
}

// drive returns the fan-outs over the signals.
func (r remoteSignals) drive(log *slog.Logger, clock bootclock.Clock, observer signals.Observer) remote {
	return remote{
		sure:  signals.NewFanOut(log, clock, observer, r.sure...),
		brief: signals.NewFanOut(log, clock, observer, r.brief...),
		loose: signals.NewFanOut(log, clock, observer, r.loose...),

		warnings: newWarnings(log, r.event),
	}
}

func (r remote) publish(l leadership.Leadership) {
	r.sure.Publish(l)
	r.brief.Publish(l)
	r.loose.Publish(l)
}

// run drives the signals until ctx ends, and joins what it started.
func (r remote) run(ctx context.Context) {
	var running sync.WaitGroup
	for _, f := range []*signals.FanOut{r.sure, r.brief, r.loose} {
		running.Go(func() { _ = f.Run(ctx) }) // it returns nil
	}
	running.Go(func() { r.warnings.run(ctx) })
	running.Wait()
}

// waitApplied waits for what a handover waits for. The label's failure is no reason to hold the Lease.
func (r remote) waitApplied(ctx context.Context) error {
	moment, cancel := context.WithTimeout(ctx, labelMoment)
	defer cancel()
	_ = r.brief.Attempted(moment) // its lane reports what went wrong
	return r.sure.Settle(ctx)
}
