// Package stops catches the signals that end a sidecar. It promises that several signals within a second are one stop, and that a
// signal that was ignored at the start ends nothing. It does not send signals, and does not pass them on.
package stops

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
)

// oneStop is the time within which several signals count as one stop: `timeout`, npm, supervisors and `tini -g` signal both
// the process and its group, and a closing terminal sends SIGHUP before SIGTERM.
const oneStop = time.Second

// Signals are the signals that end a sidecar: SIGTERM, SIGINT, and, unless ignored at the start (nohup), SIGHUP and
// SIGQUIT. With a command, package child forwards those two instead.
func Signals(command bool) []os.Signal {
	ends := []os.Signal{syscall.SIGTERM, syscall.SIGINT}
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGQUIT} {
		if !command && !slices.Contains(guard.Ignored(), s) {
			ends = append(ends, s)
		}
	}
	return ends
}

// stoppedBy is the cause of an end by a signal.
type stoppedBy syscall.Signal

// Error returns the signal's name, such as "SIGTERM".
func (s stoppedBy) Error() string { return unix.SignalName(syscall.Signal(s)) }

// Catch returns a context that the first signal ends, with a cause such as "SIGTERM". Signals within a second belong to
// the same stop; again, which is buffered, gets a value at a later one. Call release when done: it waits for the goroutine.
func Catch(parent context.Context, ends []os.Signal) (_ context.Context, again <-chan struct{}, release func()) {
	ctx, end := context.WithCancelCause(parent)
	incoming, later := make(chan os.Signal, 2), make(chan struct{}, 1)
	signal.Notify(incoming, ends...)
	var catching sync.WaitGroup
	catching.Go(func() {
		var first time.Time
		for s := range incoming {
			switch {
			case first.IsZero():
				first = time.Now()
				end(stoppedBy(s.(syscall.Signal)))
			case time.Since(first) >= oneStop:
				select {
				case later <- struct{}{}:
				default: // a value is there already
				}
			}
		}
	})
	return ctx, later, func() {
		signal.Stop(incoming) // no signal is sent from here on
		close(incoming)
		catching.Wait()
		end(nil)
	}
}
