package main

import (
	"github.com/urfave/cli/v2"
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

func stepDown(c *cli.Context) error { return answers{&faults{}, c}.order("/step-down") }
