package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lease-sidecar/lease-sidecar/internal/client"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// errEnough ends the following of a sidecar that has said what was waited for.
var errEnough = errors.New("seen enough")

// askAgain is the pause before a sidecar that is not up yet, or has no event stream to give, is asked again. It doubles up
// to askLast: many may wait for one sidecar.
const askAgain, askLast = 200 * time.Millisecond, time.Second

func waitCommand() *cli.Command {
	return &cli.Command{
		Name:  "wait",
		Usage: "block until this replica leads, or until any does",
		Description: "Asks the sidecar of this pod, and waits for it where it is not up yet. Exit code 0 once it is so, 1 when the time is\n" +
			"over. What was true then may end at any time: watch the signal, or guard your writes with the token.",
		Flags:  flags(forFlag, timeoutFlag, httpAddressFlag),
		Action: wait,
	}
}

func wait(c *cli.Context) error {
	a := answersOf(c)
	what := a.choice(forFlag)
	timeout := a.duration(timeoutFlag)
	sidecar := a.local()
	if err := a.err(); err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(c.Context, syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	if timeout > 0 {
		var done context.CancelFunc
		ctx, done = context.WithTimeoutCause(ctx, timeout, fmt.Errorf("not within %s", timeout))
		defer done()
	}
	err := waitFor(ctx, sidecar, func(l leadership.Leadership) bool {
		return l.IsLeader || (what == "elected" && l.Leader != "")
	})
	switch {
	case errors.Is(err, client.ErrOtherPod):
		return fault{fmt.Errorf("wait for %s: cannot tell: %w", what, err)}
	case err != nil:
		return fmt.Errorf("wait for %s: %w", what, err)
	}
	return nil
}

// waitFor follows the sidecar until it says what is wanted. Where it gives no event stream, or the stream ends, it is asked
// for the document now and then. When ctx ends first it returns ctx's cause, and why the sidecar could not be asked, where
// that was so. Another pod's sidecar ends the wait.
func waitFor(ctx context.Context, sidecar *client.Sidecar, wanted func(leadership.Leadership) bool) error {
	for pause := askAgain; ; pause = min(2*pause, askLast) {
		err := sidecar.Follow(ctx, func(l leadership.Leadership) error {
			pause = askAgain // a stream that stood is opened anew soon
			if wanted(l) {
				return errEnough
			}
			return nil
		})
		if !errors.Is(err, errEnough) && !errors.Is(err, client.ErrOtherPod) && ctx.Err() == nil {
			var l leadership.Leadership
			if l, err = sidecar.Leadership(ctx); err == nil && wanted(l) {
				return nil
			}
		}
		switch {
		case errors.Is(err, errEnough):
			return nil
		case errors.Is(err, client.ErrOtherPod):
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
			continue
		case <-ctx.Done():
			timer.Stop()
		}
		if err != nil && !errors.Is(err, ctx.Err()) {
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		return context.Cause(ctx)
	}
}
