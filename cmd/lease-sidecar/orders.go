package main

import (
	"errors"
	"net/url"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/lease-sidecar/lease-sidecar/internal/client"
	"github.com/lease-sidecar/lease-sidecar/internal/podid"
)

func stepDownCommand() *cli.Command {
	return &cli.Command{
		Name:      "step-down",
		Usage:     "ask this pod's sidecar to hand over to another replica",
		UsageText: "lease-sidecar step-down [FLAGS]",
		Description: `Returns as soon as the sidecar has taken the request. The sidecar releases the Lease once the
workload has stopped. Exit status 1 if this replica does not lead.`,
		Flags:  flags(httpAddressFlag),
		Action: stepDown,
	}
}

func stepDown(c *cli.Context) error {
	return answersOf(c).order("/step-down", "step-down requested: the sidecar releases the Lease once the workload has stopped")
}

func leaveCommand() *cli.Command {
	return &cli.Command{
		Name:      "leave",
		Usage:     "report to this pod's sidecar that the pod is about to end",
		UsageText: "lease-sidecar leave [FLAGS]",
		Description: `For the preStop hook of a native sidecar, which gets SIGTERM only once the other containers have
stopped. From then on a standby does not take the Lease. A replica that leads goes on until its
workload has stopped. The report cannot be taken back.

EXAMPLES:
  # In the sidecar's container
  lifecycle: {preStop: {exec: {command: [/lease-sidecar, leave]}}}`,
		Flags:  flags(httpAddressFlag),
		Action: leave,
	}
}

func leave(c *cli.Context) error {
	return answersOf(c).order("/leave", "leave reported: this replica does not take the Lease any more")
}

func drainedCommand() *cli.Command {
	return &cli.Command{
		Name:      "drained",
		Usage:     "report to this pod's sidecar that the work has stopped",
		UsageText: "lease-sidecar drained [FLAGS]",
		Description: `With --token the report is for that term alone: a late retry does not count for a later term. Exit
status 1 if no handover waits for the report.

EXAMPLES:
  lease-sidecar drained --token "$LEADERSHIP_TOKEN"`,
		Flags:  flags(tokenFlag, httpAddressFlag),
		Action: drained,
	}
}

func drained(c *cli.Context) error {
	a := answersOf(c)
	path := "/drained"
	if token := a.Text(tokenFlag); token != "" {
		path += "?token=" + url.QueryEscape(token)
	}
	return a.order(path, "drained reported: the sidecar releases the Lease, unless it sees that the workload still runs")
}

func quitCommand() *cli.Command {
	return &cli.Command{
		Name:      "quit",
		Usage:     "ask this pod's sidecar to hand over, if it leads, and to end",
		UsageText: "lease-sidecar quit [FLAGS]",
		Description: `For Jobs, which finish only when all containers have. Returns as soon as the sidecar has taken the
request. Exit status 1 if the replica leads and --allow-step-down is false.`,
		Flags:  flags(httpAddressFlag),
		Action: quit,
	}
}

func quit(c *cli.Context) error {
	return answersOf(c).order("/quitquitquit", "quit requested: the sidecar hands over, if it leads, and ends")
}

// order posts to the sidecar at --http-address, and prints a line once the order is taken. If another pod's sidecar answers, that
// is a fault, and it gets no order.
func (a answers) order(path, taken string) error {
	sidecar := a.local()
	if err := a.err(); err != nil {
		return err
	}
	err := sidecar.Order(a.Context.Context, path)
	if errors.Is(err, client.ErrOtherPod) {
		return asFault(err)
	}
	if err == nil {
		signal.Ignore(syscall.SIGPIPE) // the order counts, whether or not anybody reads the line
		say(a.Context.App.Writer, taken)
	}
	return err
}

// local returns the sidecar at --http-address. If the pod is known, only its own sidecar is accepted.
func (a answers) local() *client.Sidecar {
	address := a.Address(httpAddressFlag)
	if address == "" {
		a.Addf("--http-address is off: without it the sidecar cannot be asked")
		return nil
	}
	sidecar, err := client.New(address, podid.FromEnvironment())
	a.Of(httpAddressFlag, err)
	return sidecar
}
