//go:build linux

package sidecar

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/event"
)

// lastWarning bounds the recording of a warning that came with the end.
const lastWarning = time.Second

// warnings records Events that are no transitions. A nil one records nothing.
type warnings struct {
	log   *slog.Logger
	event *event.Signal
	queue chan warning
}

// warning is one of them.
type warning struct {
	of              leadership.Leadership // names the Lease
	reason, message string
}

func newWarnings(log *slog.Logger, e *event.Signal) *warnings {
	if e == nil {
		return nil
	}
	return &warnings{log: log, event: e, queue: make(chan warning, 8)}
}

// abandoned records that a drain was given up while the workload was seen to run.
func (w *warnings) abandoned(l leadership.Leadership, d elector.Drain, running []string) {
	if w == nil {
		return
	}
	one := warning{l, "DrainAbandoned", fmt.Sprintf("%s gave up its handover (token %s): the workload still runs (%s), and its work may overlap with the next leader's",
		l.Identity, d.Token, strings.Join(running, ", "))}
	select {
	case w.queue <- one:
	default: // an API server that takes none would get no more
	}
}

// run records what comes until ctx ends, and what has come by then.
func (w *warnings) run(ctx context.Context) {
	if w == nil {
		return
	}
	for {
		select {
		case one := <-w.queue:
			w.record(ctx, one)
			continue
		case <-ctx.Done():
		}
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWarning)
		defer cancel()
		for len(w.queue) > 0 {
			w.record(last, <-w.queue)
		}
		return
	}
}

func (w *warnings) record(ctx context.Context, one warning) {
	if err := w.event.Warn(ctx, one.of, one.reason, one.message); err != nil {
		w.log.Warn("event given up", "lease", one.of.Lease, "reason", one.reason, "error", err)
	}
}
