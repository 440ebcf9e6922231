//go:build linux

package sidecar

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lease-sidecar/lease-sidecar/internal/footprint"
	"github.com/lease-sidecar/lease-sidecar/internal/health"
	"github.com/lease-sidecar/lease-sidecar/internal/httpapi"
	"github.com/lease-sidecar/lease-sidecar/internal/metrics"
	"github.com/lease-sidecar/lease-sidecar/internal/stopwait"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/event"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/file"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/process"
)

// lastPublish bounds the wait for the signals to apply the last leadership, once the election is over.
const lastPublish = 2 * time.Second

// candidate is what one run of a sidecar is made of, put together but not yet running.
type candidate struct {
	log     *slog.Logger
	elector *elector.Elector
	outputs elector.Outputs
	fanOut  *signals.FanOut
	events  *event.Signal    // nil without Events
	file    *file.Signal     // nil without a signal directory
	health  *health.Checker  // nil without a health check
	process *process.Process // nil without a process to signal
	command *command         // nil without a command to run
	sights  sights
	board   *health.Board
	light   *footprint.Light
	cause   error // of the campaign's end, once it has ended by what happened in here
	sites   []site
	publish func(leadership.Leadership)
	stands  bool          // a document of the process before does, until the election says more
	first   chan struct{} // closed at the first publication
	started atomic.Bool   // the first state is written
}

// site is a bound address and what is served there.
type site struct {
	listener *httpapi.Listener
	handler  http.Handler
}

// publisher returns what takes each leadership that the elector publishes.
func (c *candidate) publisher(metrics *metrics.Metrics, waiter *stopwait.Waiter) func(leadership.Leadership) {
	var first sync.Once
	var last leadership.Leadership
	return func(l leadership.Leadership) {
		if !l.SameTerm(last) {
			c.light.Changed()
		}
		last = l
		waiter.Observe(l)
		c.sights.level(l)
		c.fanOut.Publish(l)
		metrics.Published(l)
		first.Do(func() { close(c.first) })
	}
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

// close lets go of what assemble took, where run has not.
func (c *candidate) close() error {
	var faults []error
	for _, s := range c.sites {
		faults = append(faults, s.listener.Close())
	}
	c.sites = nil
	faults = append(faults, c.closeCommand(), c.sights.close())
	if c.file != nil {
		faults = append(faults, c.file.Close())
	}
	if c.process != nil {
		faults = append(faults, c.process.Close())
	}
	return errors.Join(faults...)
}

// run campaigns until ctx ends, and hands over then; again ends the waiting for the workload. The signals end after the election,
// once the last leadership is applied, and the listeners last of all, so that readers get "not leader" to the end.
func (c *candidate) run(ctx context.Context, again <-chan struct{}) error {
	serving, endServing := context.WithCancel(context.WithoutCancel(ctx))
	defer endServing()
	sites, serving := errgroup.WithContext(serving)
	for _, s := range c.sites {
		sites.Go(func() error { return s.listener.Serve(serving, s.handler) })
	}
	c.sites = nil // Serve closes them

	signalling, endSignalling := context.WithCancel(context.WithoutCancel(ctx))
	defer endSignalling()
	var running sync.WaitGroup
	running.Go(func() { c.fanOut.Run(signalling) })
	if c.events != nil {
		running.Go(func() { c.events.Run(signalling) })
	}
	running.Go(func() { c.sights.run(signalling) })
	if c.process != nil {
		running.Go(func() { _ = c.process.Run(signalling) }) // it returns nil
	}
	running.Go(func() { c.awaitStart(signalling) })
	if c.health != nil {
		running.Go(func() { c.health.Run(signalling) })
	}

	campaigning, endCampaign := context.WithCancelCause(ctx)
	defer endCampaign(nil)
	running.Go(func() { c.reapAsParent(signalling) })
	if c.command != nil {
		running.Go(func() { c.command.Run(signalling) })
	}
	ended := make(chan struct{})
	abandoning := make(chan struct{})
	go func() {
		defer close(abandoning)
		c.abandonAt(again, ended)
	}()
	// A listener that fails ends the campaign, in good order.
	stopWatching := context.AfterFunc(serving, func() { endCampaign(context.Cause(serving)) })
	err := c.elector.Run(campaigning, c.outputs)
	c.cause = context.Cause(campaigning)
	stopWatching()

	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastPublish)
	defer cancel()
	if late := c.fanOut.WaitApplied(last); late != nil {
		c.log.Warn("not every signal has applied the last leadership", "reason", "SignalsLate", "error", late)
	}
	if c.process != nil {
		c.process.Finish(context.WithoutCancel(ctx)) // its Run kills at the kill deadline
	}
	endSignalling()
	running.Wait()
	err = errors.Join(err, c.closeCommand())
	close(ended)
	<-abandoning
	endServing()
	return errors.Join(err, sites.Wait())
}

// abandonAt ends all waiting for the workload when another stop comes, until the run has ended.
func (c *candidate) abandonAt(again <-chan struct{}, ended <-chan struct{}) {
	for {
		select {
		case <-again:
			c.abandon()
		case <-ended:
			return
		}
	}
}

// awaitStart notes when the first state is written: until then the workload must not start. A document of the process
// before that still stands is that state.
func (c *candidate) awaitStart(ctx context.Context) {
	if !c.stands {
		select {
		case <-c.first:
		case <-ctx.Done():
			return
		}
		if c.fanOut.WaitLocal(ctx) != nil {
			return
		}
	}
	c.started.Store(true)
	c.light.Run(ctx, c.log)
}

// healthy reports whether the workload is healthy; without a health check it always is.
func (c *candidate) healthy() bool { return c.health == nil || c.health.Healthy() }
