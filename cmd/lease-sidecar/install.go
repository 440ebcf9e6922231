package main

import (
	"github.com/urfave/cli/v2"

	"github.com/lease-sidecar/lease-sidecar/internal/install"
)

func installCommand() *cli.Command {
	return &cli.Command{
		Name:      "install",
		Usage:     "copy this program to a file or into a directory",
		ArgsUsage: "PATH",
		Description: "For an init container that brings the program into another container's volume, as the image has no cp. The file is\n" +
			"replaced in one step: a process that runs the old one goes on, and none runs half of the new. A symbolic link is followed,\n" +
			"as cp does: the file that it leads to is replaced.",
		Action: func(c *cli.Context) error {
			if c.Args().First() == "" { // a variable that is not set, too
				return faultf("install: give the file or the directory to copy to, as in: lease-sidecar install /shared")
			}
			return install.To(c.Args().First())
		},
	}
}
