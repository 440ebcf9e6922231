package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/internal/sidecar"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
)

// runSidecar is the action of `run`.
func runSidecar(c *cli.Context) error {
	a := answers{&faults{}, c}
	config, choice := a.config()
	if err := a.err(); err != nil {
		return err
	}
	keepDispositions()
	log, end := choice.open(c.App.ErrWriter)
	defer end()
	warnOfUnknown(log, os.Environ())
	config.Log = log
	s, err := sidecar.New(config)
	if err == nil {
		err = s.Run(c.Context)
	}
	return runError(err, config)
}

// runError gives a sidecar's error its exit code, and names the flag of a field.
func runError(err error, config sidecar.Config) error {
	var collision *elector.CollisionError
	var status sidecar.CommandStatus
	var resource *sidecar.ResourceError
	switch {
	case errors.As(err, &collision):
		return exit{exitCollision, fmt.Errorf("%w; --prefix or --lease-name sets it", err)}
	case errors.Is(err, elector.ErrLeadershipLost):
		return exit{exitLost, err}
	case errors.As(err, &resource):
		switch inner := resource.Unwrap(); resource.Field {
		case "Store":
			return faultf("--store: %w", inner)
		case "SignalDir":
			return faultf("--signal-dir %s: %w", config.SignalDir, inner)
		case "HTTPAddress":
			return fmt.Errorf("--http-address: %w", inner)
		default:
			return fmt.Errorf("--probe-address: %w", inner)
		}
	case errors.As(err, &status):
		return exit{int(status), err}
	}
	return err
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
