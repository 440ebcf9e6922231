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
	"github.com/lease-sidecar/lease-sidecar/internal/membership"
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

// registrations lists everything that signals to the workload, sees it, or judges its health. A new signal or sight is one
// row. The log names the first part that saw the workload stop. Parts are closed in reverse order.
var registrations = []func(*kit) error{
	addEventStream,
	addFile,
	addMembers,
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

// kit is what the parts are built from. It collects them.
type kit struct {
	cfg     Config
	log     *slog.Logger
	clock   bootclock.Clock
	elector *elector.Elector
	board   *health.Board          // passes the workload's health to the elector
	api     apiserver.Client       // nil if the store is a directory
	quit    func(error)            // ends the sidecar in good order
	members *membership.Membership // nil if it is off

	parts
}

// parts are the parts of one run, in the order of registration.
type parts struct {
	all    []part
	closed bool

	// Parts that others need by type; nil if not configured.
	feed    *httpapi.Feed
	running *running.Running
	file    *file.Signal
	health  *health.Checker
	events  *event.Signal
}

// part signals to the workload, sees it, or both. Unused fields are nil.
type part struct {
	signal signals.Signal
	wait   signals.Wait // how far a handover waits for the signal; the zero value waits until it is applied
	remote bool         // the signal uses the network
	sight  sight.Sight

	observe func(leadership.Leadership) // called before any signal applies the leadership; must not block
	run     func(ctx context.Context)   // returns soon after ctx ends
	ending  func()                      // called once when the sidecar begins to end; must not block
	finish  func(ctx context.Context)   // waits for the remaining work after the election
	abandon func()                      // makes finish and close stop waiting
	close   func() error
}

// build builds the configured parts. On an error it closes those already built.
func (k *kit) build() error {
	for _, add := range registrations {
		if err := add(k); err != nil {
			return errors.Join(err, k.close())
		}
	}
	return nil
}

// podNamespace returns the pod's namespace from the downward API, else the Lease's.
func (k *kit) podNamespace() string { return cmp.Or(k.cfg.Pod.Namespace, k.cfg.Election.Namespace) }

// candidate returns the elector as the parts see it.
func (k *kit) candidate() candidate { return candidate{k.elector, k.members} }

func (p *parts) add(one part) { p.all = append(p.all, one) }

func (p *parts) signalOutputs() []signals.Output {
	var outputs []signals.Output
	for _, one := range p.all {
		if one.signal != nil {
			outputs = append(outputs, signals.Output{Signal: one.signal, Wait: one.wait, Remote: one.remote})
		}
	}
	return outputs
}

func (p *parts) sights() []sight.Sight {
	var sights []sight.Sight
	for _, one := range p.all {
		if one.sight != nil {
			sights = append(sights, one.sight)
		}
	}
	return sights
}

// observe shows each part a leadership before it is applied.
func (p *parts) observe(l leadership.Leadership) {
	for _, one := range p.all {
		if one.observe != nil {
			one.observe(l)
		}
	}
}

func (p *parts) run(ctx context.Context) {
	var running sync.WaitGroup
	for _, one := range p.all {
		if one.run != nil {
			running.Go(func() { one.run(ctx) })
		}
	}
	running.Wait()
}

// ending tells the parts that the sidecar begins to end.
func (p *parts) ending() {
	for _, one := range p.all {
		if one.ending != nil {
			one.ending()
		}
	}
}

// finish waits for the parts' remaining work after the election.
func (p *parts) finish(ctx context.Context) {
	for _, one := range p.all {
		if one.finish != nil {
			one.finish(ctx)
		}
	}
}

func (p *parts) abandon() {
	for _, one := range p.all {
		if one.abandon != nil {
			one.abandon()
		}
	}
}

// close closes the parts in reverse order, once they no longer run. A second call does nothing.
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

func (p *parts) healthy() bool { return p.health == nil || p.health.Healthy() }
