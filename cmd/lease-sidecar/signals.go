package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// withSignals returns a context that the first SIGTERM or SIGINT ends, with that as its cause. Each further one calls
// again, where that is not nil. Call cancel when done: it joins what was started.
func withSignals(parent context.Context, again func()) (ctx context.Context, cancel func()) {
	ctx, end := context.WithCancelCause(parent)
	incoming := make(chan os.Signal, 2)
	signal.Notify(incoming, syscall.SIGTERM, syscall.SIGINT)
	done, joined := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(joined)
		for {
			select {
			case s := <-incoming:
				if ctx.Err() != nil && again != nil {
					again()
				}
				end(fmt.Errorf("ended by %s", s))
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
