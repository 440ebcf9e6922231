//go:build linux

package sidecar

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// lastPublish bounds the wait for the signals to apply the last leadership, once the election is over.
const lastPublish = 2 * time.Second

// run campaigns until ctx ends, and hands over then. Each value of abandon ends all waiting for the workload. It returns what ended
// the campaign beside its error. stands says that a document of the process before is still valid.
//
// The order of the end: the election, the signals once they have applied the last leadership, the parts, and the listeners last of
// all, so that readers get "not leader" to the end.
func (c *candidate) run(ctx context.Context, abandon <-chan struct{}, stands bool) (cause, err error) {
	serving, endServing := context.WithCancel(context.WithoutCancel(ctx))
	defer endServing()
	sites, serving := errgroup.WithContext(serving)
	for _, s := range c.sites {
		sites.Go(func() error { return s.listener.Serve(serving, s.handler) })
	}
	c.sites = nil // Serve closes them

	abandoning, endAbandoning := context.WithCancel(context.WithoutCancel(ctx))
	defer endAbandoning()
	var outer sync.WaitGroup
	defer outer.Wait()
	outer.Go(func() { c.abandonOn(abandoning, abandon) })

	signalling, endSignalling := context.WithCancel(context.WithoutCancel(ctx))
	defer endSignalling()
	var running sync.WaitGroup
	running.Go(func() { c.fanOut.Run(signalling) })
	running.Go(func() { c.parts.run(signalling) })
	running.Go(func() { c.awaitStart(signalling, stands) })

	cause, err = c.campaign(ctx, serving)

	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastPublish)
	defer cancel()
	if late := c.fanOut.WaitApplied(last); late != nil {
		c.log.Warn("not every signal has applied the last leadership", "reason", "SignalsLate", "error", late)
	}
	c.parts.finish(context.WithoutCancel(ctx))
	endSignalling()
	running.Wait()
	err = errors.Join(err, c.parts.close())
	endAbandoning()
	endServing()
	return cause, errors.Join(err, sites.Wait())
}

// campaign runs the election until ctx ends, or a listener fails, which ends it in good order.
func (c *candidate) campaign(ctx, serving context.Context) (cause, err error) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	stopWatching := context.AfterFunc(serving, func() { end(context.Cause(serving)) })
	defer stopWatching()
	err = c.elector.Run(ctx, c.outputs)
	return context.Cause(ctx), err
}

// abandonOn ends all waiting for the workload at each value of abandon, until ctx ends.
func (c *candidate) abandonOn(ctx context.Context, abandon <-chan struct{}) {
	for {
		select {
		case <-abandon:
			c.elector.Abandon()
			c.parts.abandon()
		case <-ctx.Done():
			return
		}
	}
}

// awaitStart notes when the first state is written: until then the workload must not start. A document of the process before that is
// still valid is that state.
func (c *candidate) awaitStart(ctx context.Context, stands bool) {
	if !stands {
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
	c.trimmer.Run(ctx, c.log)
}
