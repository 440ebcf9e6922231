//go:build linux

package sidecar

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"

	"github.com/lease-sidecar/lease-sidecar/internal/health"
	"github.com/lease-sidecar/lease-sidecar/internal/httpapi"
	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/internal/sight/running"
	"github.com/lease-sidecar/lease-sidecar/pkg/apiserver"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/event"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/file"
)

// registrations is the one list of everything that signals to the workload, sees it, or judges its health. A new signal or sight
// is one row. The first part that has seen the workload stop is the one that the log names; parts are closed from the last to the
// first.
var registrations = []func(*kit) error{
	addEventStream,
	addFile,
	addHealth,
	addProcess,
	addCommand,
	addWebhook,
	addLabel,
	addEvents,
	addRunning,
	addRunLock,
	addProcesses,
	addPodStatus,
}

// kit is what the parts are built from, and collects them.
type kit struct {
	cfg     Config
	log     *slog.Logger
	clock   bootclock.Clock
	elector *elector.Elector
	board   *health.Board    // what the elector learns of the workload's health
	api     apiserver.Client // nil where the store is a directory
	quit    func(error)      // ends the sidecar in good order

	parts
}

// parts are the parts of one run, in the order of their registration.
type parts struct {
	all    []part
	closed bool

	// What others need by its own type; nil where the configuration does not ask for it.
	feed    *httpapi.Feed
	running *running.Running
	file    *file.Signal
	health  *health.Checker
	events  *event.Signal
}

// part is one thing that signals to the workload, sees it, or both. What it does not do is nil.
type part struct {
	signal signals.Signal
	wait   signals.Wait // how far a handover waits for the signal; the zero value waits until it is applied
	remote bool         // the signal uses the network
	sight  sight.Sight

	observe func(leadership.Leadership) // is called before any signal applies the leadership; it does not block
	run     func(ctx context.Context)   // returns soon after ctx ends
	finish  func(ctx context.Context)   // waits for what is still to be done once the election is over
	abandon func()                      // ends the waiting of finish and close
	close   func() error
}

// build builds the parts that the configuration asks for. On an error it closes those that are built.
func (k *kit) build() error {
	for _, add := range registrations {
		if err := add(k); err != nil {
			return errors.Join(err, k.close())
		}
	}
	return nil
}

// podNamespace returns the namespace of this replica's pod: that of the Lease where the downward API does not say it.
func (k *kit) podNamespace() string { return cmp.Or(k.cfg.Pod.Namespace, k.cfg.Election.Namespace) }

func (p *parts) add(one part) { p.all = append(p.all, one) }

// outputs returns the signals for the fan-out.
func (p *parts) outputs() []signals.Output {
	var outputs []signals.Output
	for _, one := range p.all {
		if one.signal != nil {
			outputs = append(outputs, signals.Output{Signal: one.signal, Wait: one.wait, Remote: one.remote})
		}
	}
	return outputs
}

// sights returns everything that sees the workload.
func (p *parts) sights() []sight.Sight {
	var sights []sight.Sight
	for _, one := range p.all {
		if one.sight != nil {
			sights = append(sights, one.sight)
		}
	}
	return sights
}

// observe shows each part the leadership that is about to be applied.
func (p *parts) observe(l leadership.Leadership) {
	for _, one := range p.all {
		if one.observe != nil {
			one.observe(l)
		}
	}
}

// run runs the parts until ctx ends.
func (p *parts) run(ctx context.Context) {
	var running sync.WaitGroup
	for _, one := range p.all {
		if one.run != nil {
			running.Go(func() { one.run(ctx) })
		}
	}
	running.Wait()
}

// finish waits for what the parts still have to do once the election is over.
func (p *parts) finish(ctx context.Context) {
	for _, one := range p.all {
		if one.finish != nil {
			one.finish(ctx)
		}
	}
}

// abandon ends all waiting of the parts for the workload.
func (p *parts) abandon() {
	for _, one := range p.all {
		if one.abandon != nil {
			one.abandon()
		}
	}
}

// close closes the parts, from the last to the first. Nothing of theirs may run any more. A second call does nothing.
func (p *parts) close() error {
	if p.closed {
		return nil
	}
	p.closed = true
	var faults []error
	for _, one := range slices.Backward(p.all) {
		if one.close != nil {
			faults = append(faults, one.close())
		}
	}
	return errors.Join(faults...)
}

// healthy reports whether the workload is healthy; without a health check it always is.
func (p *parts) healthy() bool { return p.health == nil || p.health.Healthy() }
