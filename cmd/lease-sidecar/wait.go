package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lease-sidecar/lease-sidecar/internal/client"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// errEnough ends the following of a sidecar that has said what was waited for.
var errEnough = errors.New("seen enough")

// askAgain is the pause before a sidecar that is not up yet is asked again.
const askAgain = 200 * time.Millisecond

func waitCommand() *cli.Command {
	return &cli.Command{
		Name:  "wait",
		Usage: "block until this replica leads, or until any does",
		Description: "Asks the sidecar of this pod, and waits for it where it is not up yet. Exit code 0 once it is so, 1 when the time is\n" +
			"over. What was true then may end at any time: watch the signal, or guard your writes with the token.",
		Flags:  pick("for", "timeout", "http-address"),
		Action: wait,
	}
}

func wait(c *cli.Context) error {
	a := answers{&faults{}, c}
	what := a.choice("for", "leader", "elected")
	timeout := a.duration("timeout")
	sidecar := a.local()
	if err := a.err(); err != nil {
		return err
	}
	ctx, cancel := withSignals(c.Context, stops, nil)
	defer cancel()
	if timeout > 0 {
		var done context.CancelFunc
		ctx, done = context.WithTimeoutCause(ctx, timeout, fmt.Errorf("not within %s", timeout))
		defer done()
	}
	err := waitFor(ctx, sidecar, func(l leadership.Leadership) bool {
		return l.IsLeader || (what == "elected" && l.Leader != "")
	})
	if err != nil {
		return fmt.Errorf("wait for %s: %w", what, err)
	}
	return nil
}

// waitFor follows the sidecar until it says what is wanted. When ctx ends first it returns ctx's cause, and why the
// sidecar could not be asked, where that was so.
func waitFor(ctx context.Context, sidecar *client.Sidecar, wanted func(leadership.Leadership) bool) error {
	for {
		err := sidecar.Follow(ctx, func(l leadership.Leadership) error {
			if wanted(l) {
				return errEnough
			}
			return nil
		})
		if errors.Is(err, errEnough) {
			return nil
		}
		timer := time.NewTimer(askAgain)
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
