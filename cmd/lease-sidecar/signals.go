package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
)

// oneStop is the time within which several signals are one stop: `timeout`, npm, supervisors and `tini -g` signal the
// process and its group, and a terminal that closes sends SIGHUP before another SIGTERM comes. Nobody who wants to skip the
// grace loses much by it.
const oneStop = time.Second

// lastLine bounds how long the end waits for whoever reads the log.
const lastLine = 500 * time.Millisecond

// stops are the signals that end a command which waits.
var stops = []os.Signal{syscall.SIGTERM, syscall.SIGINT}

// runStops are the signals that end `run`: SIGHUP and SIGQUIT too, but for those that were ignored at the start (nohup).
// With a command they mean that command: see forward.
func runStops(child bool) []os.Signal {
	ends := slices.Clone(stops)
	if child {
		return ends
	}
	return append(ends, unlessIgnored(syscall.SIGHUP, syscall.SIGQUIT)...)
}

// unlessIgnored returns those of the signals that this process was not started with ignored.
func unlessIgnored(all ...syscall.Signal) []os.Signal {
	var heard []os.Signal
	for _, s := range all {
		if !slices.Contains(guard.Ignored(), s) {
			heard = append(heard, s)
		}
	}
	return heard
}

// keepDispositions has this process ignore what it was started with ignored, of what the Go runtime would act on, and
// outlive whoever reads its output: with nobody there, a write fails. Both are caught or left as they were, so that no
// process started from here inherits a disposition that is not the sidecar's own.
func keepDispositions() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // nobody listens: without this, a failed write ends a Go program
	if slices.Contains(guard.Ignored(), syscall.SIGQUIT) {
		signal.Ignore(syscall.SIGQUIT)
	}
}

// withSignals returns a context that the first of the signals ends, with that as its cause. What comes within oneStop of it
// is the same stop. Each later one calls again, where that is not nil. Call cancel when done: it joins what was started.
func withSignals(parent context.Context, ends []os.Signal, again func()) (ctx context.Context, cancel func()) {
	ctx, end := context.WithCancelCause(parent)
	incoming := make(chan os.Signal, 2)
	signal.Notify(incoming, ends...)
	done, joined := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(joined)
		var first time.Time
		for {
			select {
			case s := <-incoming:
				switch {
				case first.IsZero():
					first = time.Now()
					end(fmt.Errorf("ended by %s", s))
				case time.Since(first) >= oneStop && again != nil:
					again()
				}
			case <-done:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(incoming)
		close(done)
		<-joined
		end(nil)
	}
}
