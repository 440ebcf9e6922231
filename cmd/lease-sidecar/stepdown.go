package main

import (
	"context"
	"errors"

	"github.com/urfave/cli/v2"

	"github.com/lease-sidecar/lease-sidecar/internal/client"
)

func stepDownCommand() *cli.Command {
	return &cli.Command{
		Name:  "step-down",
		Usage: "ask this pod's sidecar to hand over to another replica",
		Description: "Returns as soon as the sidecar has taken the request: it lets go of the Lease once the workload has stopped. Exit code 1\n" +
			"where this replica does not lead.",
		Flags:  pick("http-address"),
		Action: stepDown,
	}
}

// order posts to the sidecar. It fails as a fault where another pod's sidecar answers, which gets no order.
func order(ctx context.Context, sidecar *client.Sidecar, path string) error {
	err := sidecar.Order(ctx, path)
	if errors.Is(err, client.ErrOtherPod) {
		return fault{err}
	}
	return err
}

func stepDown(c *cli.Context) error {
	a := answers{&faults{}, c}
	sidecar := a.local()
	if err := a.err(); err != nil {
		return err
	}
	return order(c.Context, sidecar, "/step-down")
}
