//go:build linux

package sidecar

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// lastPublish bounds the wait for the signals to apply the last leadership after the election.
const lastPublish = 2 * time.Second

// run campaigns until ctx ends, then hands over. Each value of abandon ends all waiting for the workload. It returns what
// ended the campaign, and its error. stands says that an earlier process's document is still valid.
//
// Order of the end: the election, the signals once they have applied the last leadership, the parts, and last the listeners,
// so that readers get "not leader" to the end.
func (a *assembly) run(ctx context.Context, abandon <-chan struct{}, stands bool) (cause, err error) {
	serving, endServing := context.WithCancel(context.WithoutCancel(ctx))
	defer endServing()
	served, serving := errgroup.WithContext(serving)
	for _, l := range a.listeners {
		served.Go(func() error { return l.Serve(serving) })
	}
	a.listeners = nil // Serve closes them

	abandoning, endAbandoning := context.WithCancel(context.WithoutCancel(ctx))
	defer endAbandoning()
	var outer sync.WaitGroup
	defer outer.Wait()
	outer.Go(func() { a.abandonOn(abandoning, abandon) })
	outer.Go(func() {
		select {
		case <-ctx.Done():
			a.ending()
		case <-abandoning.Done():
		}
	})

	signalling, endSignalling := context.WithCancel(context.WithoutCancel(ctx))
	defer endSignalling()
	var running sync.WaitGroup
	running.Go(func() { a.fanOut.Run(signalling) })
	running.Go(func() { a.parts.run(signalling) })
	running.Go(func() { a.awaitStart(signalling, stands) })

	cause, err = a.campaign(ctx, serving)

	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastPublish)
	defer cancel()
	if late := a.fanOut.WaitApplied(last); late != nil {
		a.log.Warn("not every signal has applied the last leadership", "reason", "SignalsLate", "error", late)
	}
	a.finish(context.WithoutCancel(ctx))
	endSignalling()
	running.Wait()
	err = errors.Join(err, a.parts.close())
	endAbandoning()
	endServing()
	return cause, errors.Join(err, served.Wait())
}

// campaign runs the election until ctx ends or a listener fails, which ends it in good order.
func (a *assembly) campaign(ctx, serving context.Context) (cause, err error) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	stopWatching := context.AfterFunc(serving, func() { end(context.Cause(serving)) })
	defer stopWatching()
	err = a.elector.Run(ctx, a.outputs)
	return context.Cause(ctx), err
}

// abandonOn ends all waiting for the workload at each value of abandon, until ctx ends.
func (a *assembly) abandonOn(ctx context.Context, abandon <-chan struct{}) {
	for {
		select {
		case <-abandon:
			a.elector.Abandon()
			a.abandon()
		case <-ctx.Done():
			return
		}
	}
}

// awaitStart waits until the first state is written, before which the workload must not start. A still valid document of an
// earlier process is that state.
func (a *assembly) awaitStart(ctx context.Context, stands bool) {
	if !stands {
		select {
		case <-a.first:
		case <-ctx.Done():
			return
		}
		if a.fanOut.WaitLocal(ctx) != nil {
			return
		}
	}
	a.started.Store(true)
}
