package main

import (
	"errors"
	"net/url"

	"github.com/urfave/cli/v2"

	"github.com/lease-sidecar/lease-sidecar/internal/client"
)

func drainedCommand() *cli.Command {
	return &cli.Command{
		Name:  "drained",
		Usage: "tell this pod's sidecar that the work has stopped, so that it may let go of the Lease",
		Description: "With --token it speaks for that term alone, so that a late retry does not count for a later term. Exit code 1 where no\n" +
			"handover waits for it.",
		Flags:  pick("token", "http-address"),
		Action: drained,
	}
}

func drained(c *cli.Context) error {
	a := answers{&faults{}, c}
	path := "/drained"
	if token := a.text("token"); token != "" {
		path += "?token=" + url.QueryEscape(token)
	}
	return a.order(path)
}

func quitCommand() *cli.Command {
	return &cli.Command{
		Name:  "quit",
		Usage: "ask this pod's sidecar to end as on SIGTERM: it hands over first where it leads",
		Description: "For Jobs that must finish. Returns as soon as the sidecar has taken the request. Exit code 1 where it leads and step-down is\n" +
			"switched off.",
		Flags:  pick("http-address"),
		Action: func(c *cli.Context) error { return answers{&faults{}, c}.order("/quitquitquit") },
	}
}

// order posts to the sidecar that --http-address names. It fails as a fault where another pod's sidecar answers, which gets no
// order.
func (a answers) order(path string) error {
	sidecar := a.local()
	if err := a.err(); err != nil {
		return err
	}
	err := sidecar.Order(a.c.Context, path)
	if errors.Is(err, client.ErrOtherPod) {
		return fault{err}
	}
	return err
}
