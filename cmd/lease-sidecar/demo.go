package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/lease-sidecar/lease-sidecar/internal/demo"
)

func demoCommand() *cli.Command {
	return &cli.Command{
		Name:  "demo",
		Usage: "play three replicas on this machine, with no cluster, and move leadership in several ways",
		Description: "Shows each move and its time, and watches that two never lead at once. Takes about half a minute. Exit code 1 where two\n" +
			"did, or where a move did not happen. A live table in a terminal, plain lines elsewhere.",
		Action: func(c *cli.Context) error {
			self, err := os.Executable()
			if err != nil {
				return fmt.Errorf("demo: find this program: %w", err)
			}
			ctx, stop := signal.NotifyContext(c.Context, syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			live := isTerminal(c.App.Writer) && os.Getenv("TERM") != "dumb"
			return demo.Run(ctx, demo.Config{
				Self: self, Out: c.App.Writer, Live: live, Colour: os.Getenv("NO_COLOR") == "",
			})
		},
	}
}

// toyCommand is the workload that the demo puts beside each sidecar.
func toyCommand() *cli.Command {
	return &cli.Command{
		Name: "toy", Hidden: true, Usage: "the demo's workload",
		Flags: flags(signalDirFlag, httpAddressFlag),
		Action: func(c *cli.Context) error {
			a := answersOf(c)
			sidecar := a.local()
			if err := a.err(); err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(c.Context, syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			toy := demo.Toy{Dir: a.text(signalDirFlag), Out: c.App.Writer, Drained: func(ctx context.Context) error {
				return sidecar.Order(ctx, "/drained")
			}}
			return toy.Run(ctx)
		},
	}
}
