package main

import "github.com/urfave/cli/v2"

func demoCommand() *cli.Command {
	return &cli.Command{
		Name:  "demo",
		Usage: "play three replicas on this machine, with no cluster, and move leadership in several ways",
		Description: "Shows each move and its time, and watches that two never lead at once. Takes about half a minute. Exit code 1 where two\n" +
			"did, or where a move did not happen. A live table in a terminal, plain lines elsewhere.",
		Action: runDemo,
	}
}

// toyCommand is the workload that the demo puts beside each sidecar.
func toyCommand() *cli.Command {
	return &cli.Command{
		Name: "toy", Hidden: true, Usage: "the demo's workload",
		Flags:  flags(signalDirFlag, httpAddressFlag),
		Action: runToy,
	}
}
