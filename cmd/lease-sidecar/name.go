package main

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

func nameCommand() *cli.Command {
	return &cli.Command{
		Name:  "name",
		Usage: "print the name of the Lease for a prefix and a workload",
		Description: "The name is the prefix, a hyphen, and the first 10 hexadecimal digits of SHA-256 of KIND/NAME. In a pod the\n" +
			"workload is derived as run derives it; --workload gives it.",
		Flags:  pick("prefix", "workload", "lease-name", "labels-file"),
		Action: printName,
	}
}

func printName(c *cli.Context) error {
	a := answers{&faults{}, c}
	e := a.election()
	if err := a.err(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(c.App.Writer, e.lease)
	return err
}
