package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/lease-sidecar/lease-sidecar/internal/client"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

func waitCommand() *cli.Command {
	return &cli.Command{
		Name:      "wait",
		Usage:     "wait until this replica leads, or until any replica does",
		UsageText: "lease-sidecar wait [FLAGS]",
		Description: `Asks the sidecar of this pod, and waits for a sidecar that is not up yet. Exit status 1 when
--timeout is over. The replica may lose leadership at any time after: watch the signal, or
guard each write with the token.

EXAMPLES:
  lease-sidecar wait && exec ./worker
  lease-sidecar wait --for elected --timeout 1m`,
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
		Name:      "is-leader",
		Usage:     "exit 0 if this replica leads now, 1 if it does not, 2 if that is unknown",
		UsageText: "lease-sidecar is-leader [FLAGS]",
		Description: `With --signal-dir it reads the directory, which also shows a sidecar that is frozen or dead.
Without it, it asks the sidecar at --http-address. It prints nothing but the reason for a 2.

EXAMPLES:
  lease-sidecar is-leader && ./send-mails
  lease-sidecar is-leader --signal-dir /signal`,
		Flags:  flags(signalDirFlag, httpAddressFlag),
		Action: isLeader,
	}
}

// missing reports whether nothing has that path.
func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

func isLeader(c *cli.Context) error {
	a := answersOf(c)
	var l leadership.Leadership
	var err error
	dir := a.Text(signalDirFlag)
	if dir != "" {
		l, err = leadership.Read(dir)
	} else {
		sidecar := a.local()
		if faults := a.err(); faults != nil {
			return faults
		}
		l, err = sidecar.Leadership(c.Context)
	}
	switch {
	case dir != "" && missing(dir):
		return faultf("cannot tell: --signal-dir %q: the directory does not exist: want the directory that the sidecar has as its --signal-dir", dir)
	case dir != "" && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)):
		return faultf("cannot tell: --signal-dir %q: %w: want the directory that the sidecar has as its --signal-dir, once the sidecar has started", dir, err)
	case err != nil && dir != "":
		return faultf("cannot tell: --signal-dir %q: %w", dir, err)
	case err != nil:
		return faultf("cannot tell: --http-address %s: %w", a.Address(httpAddressFlag), err)
	case !l.IsLeader:
		return errNo
	}
	return nil
}
