package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lease-sidecar/lease-sidecar/internal/health"
	"github.com/lease-sidecar/lease-sidecar/internal/httpapi"
	"github.com/lease-sidecar/lease-sidecar/internal/metrics"
	"github.com/lease-sidecar/lease-sidecar/internal/stopwait"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/file"
)

// lastWord bounds the telling of the last level, once the election is over.
const lastWord = 2 * time.Second

// sidecar is one candidate with all that speaks for it, put together but not yet running.
type sidecar struct {
	log     *slog.Logger
	elector *elector.Elector
	outputs elector.Outputs
	fanOut  *signals.FanOut
	remote  remote          // the signals that go over the network
	file    *file.Signal    // nil without a signal directory
	health  *health.Checker // nil without a health check
	process *processTarget  // nil without a process to tell
	command *command        // nil without a command to run
	sights  sights
	board   *health.Board
	light   *light
	cause   error // of the campaign's end, once it has ended by what happened in here
	sites   []site
	publish func(leadership.Leadership)
	stands  bool          // a document of the process before does, until the election says more
	told    chan struct{} // closed at the first level
	started atomic.Bool   // the first state is written
}

// site is a bound address and what is served there.
type site struct {
	listener *httpapi.Listener
	handler  http.Handler
}

// publisher returns what takes the elector's levels.
func (c *sidecar) publisher(metrics *metrics.Metrics, waiter *stopwait.Waiter) func(leadership.Leadership) {
	var first sync.Once
	var last leadership.Leadership
	return func(l leadership.Leadership) {
		if !l.SameTerm(last) {
			c.light.changed()
		}
		last = l
		waiter.Heard(l)
		c.sights.level(l)
		c.fanOut.Publish(l)
		c.remote.publish(l)
		metrics.Published(l)
		first.Do(func() { close(c.told) })
	}
}

// abandoned tells of a drain that was given up while the workload was seen to run.
func (c *sidecar) abandoned(d elector.Drain, running []string) {
	c.remote.warnings.abandoned(c.elector.Leadership(), d, running)
}

// settle returns once the signals have told the newest level, as far as a handover waits for them.
func (c *sidecar) settle(ctx context.Context) error {
	return errors.Join(c.fanOut.Settle(ctx), c.remote.settle(ctx))
}

// listen binds an address; "" is none.
func (c *sidecar) listen(flag, address string, handler http.Handler) error {
	if address == "" {
		return nil
	}
	listener, err := httpapi.Listen(address, c.log)
	if err != nil {
		return fmt.Errorf("--%s: %w", flag, err)
	}
	c.log.Info("listening", "for", flag, "addresses", listener.Addrs())
	c.sites = append(c.sites, site{listener, handler})
	return nil
}

// close lets go of what assemble took, where run has not.
func (c *sidecar) close() error {
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

// run campaigns until ctx ends, and hands over then. What tells outlives what decides: the signals end once the last
// level is out, and the listeners last of all, so that readers are answered "not leader" to the end.
func (c *sidecar) run(ctx context.Context) error {
	serving, endServing := context.WithCancel(context.WithoutCancel(ctx))
	defer endServing()
	sites, serving := errgroup.WithContext(serving)
	for _, s := range c.sites {
		sites.Go(func() error { return s.listener.Serve(serving, s.handler) })
	}
	c.sites = nil // Serve closes them

	telling, endTelling := context.WithCancel(context.WithoutCancel(ctx))
	defer endTelling()
	var tellers sync.WaitGroup
	tellers.Go(func() { _ = c.fanOut.Run(telling) }) // it returns nil
	tellers.Go(func() { c.remote.run(telling) })
	tellers.Go(func() { c.sights.run(telling) })
	if c.process != nil {
		tellers.Go(func() { c.process.run(telling) })
	}
	tellers.Go(func() { c.awaitStart(telling) })
	if c.health != nil {
		tellers.Go(func() { c.health.Run(telling) })
	}

	campaigning, endCampaign := context.WithCancelCause(ctx)
	defer endCampaign(nil)
	tellers.Go(func() { c.reapAsParent(telling) })
	if c.command != nil {
		tellers.Go(func() { c.command.Run(telling) })
	}
	// A listener that fails ends the campaign, in good order.
	stopWatching := context.AfterFunc(serving, func() { endCampaign(context.Cause(serving)) })
	err := c.elector.Run(campaigning, c.outputs)
	c.cause = context.Cause(campaigning)
	stopWatching()

	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWord)
	defer cancel()
	if late := c.settle(last); late != nil {
		c.log.Warn("not every signal took the last level", "error", late)
	}
	if c.process != nil {
		c.process.finish() // its Run strikes at the kill deadline
	}
	endTelling()
	tellers.Wait()
	err = errors.Join(err, c.closeCommand())
	endServing()
	return errors.Join(err, sites.Wait())
}

// awaitStart notes when the first state is written: until then the workload must not start. A document of the process
// before that still stands is that state.
func (c *sidecar) awaitStart(ctx context.Context) {
	if !c.stands {
		select {
		case <-c.told:
		case <-ctx.Done():
			return
		}
		if c.fanOut.Settle(ctx) != nil {
			return
		}
	}
	c.started.Store(true)
	c.light.run(ctx, c.log)
}
