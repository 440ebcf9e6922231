package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/lease-sidecar/lease-sidecar/internal/client"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

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
	what := a.Choice(forFlag)
	timeout := a.Duration(timeoutFlag)
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
	err := sidecar.WaitUntil(ctx, func(l leadership.Leadership) bool {
		return l.IsLeader || (what == "elected" && l.Leader != "")
	})
	switch {
	case errors.Is(err, client.ErrOtherPod):
		return faultf("wait for %s: cannot tell: %w", what, err)
	case err != nil:
		return fmt.Errorf("wait for %s: %w", what, err)
	}
	return nil
}

func isLeaderCommand() *cli.Command {
	return &cli.Command{
		Name:  "is-leader",
		Usage: "exit 0 when this replica leads now, 1 when not, 2 when that cannot be known",
		Description: "With --signal-dir it reads the directory, which also shows that the sidecar is frozen or dead; else it asks the sidecar\n" +
			"at --http-address. It prints nothing but the reason for a 2.",
		Flags:  flags(signalDirFlag, httpAddressFlag),
		Action: isLeader,
	}
}

func isLeader(c *cli.Context) error {
	a := answersOf(c)
	var l leadership.Leadership
	var err error
	if dir := a.Text(signalDirFlag); dir != "" {
		l, err = leadership.Read(dir)
	} else {
		sidecar := a.local()
		if faults := a.err(); faults != nil {
			return faults
		}
		l, err = sidecar.Leadership(c.Context)
	}
	switch {
	case err != nil:
		return faultf("cannot tell: %w", err)
	case !l.IsLeader:
		return errNo
	}
	return nil
}
