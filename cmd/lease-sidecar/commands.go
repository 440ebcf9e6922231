package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"

	"github.com/lease-sidecar/lease-sidecar/internal/install"
)

func runCommand() *cli.Command {
	return &cli.Command{
		Name:  "run",
		Usage: "the sidecar: campaign for the Lease and signal to the workload; with -- COMMAND ARG…, run that only while leading",
		Description: "Runs until SIGTERM, SIGINT, SIGHUP or SIGQUIT, and hands over before it ends; another one, a second later or more,\n" +
			"abandons that: what the workload still does is then left to the Lease's end. With a command, HUP and QUIT are passed\n" +
			"on to it. Where HUP was ignored at the start (nohup) it stays so, for the command too. In a pod it derives the workload,\n" +
			"and with it the Lease's name, from POD_NAME and the pod's labels. An API server that is down or refuses does not end it:\n" +
			"it says so and keeps trying.",
		Flags:  runFlags(),
		Action: runSidecar,
	}
}

// runFlags returns every option that has a group in the help text.
func runFlags() []cli.Flag {
	var all []cli.Flag
	for _, o := range table.All() {
		if o.Group != "" {
			all = append(all, flagOf(o))
		}
	}
	return all
}

func installCommand() *cli.Command {
	return &cli.Command{
		Name:      "install",
		Usage:     "copy this program to a file or into a directory",
		ArgsUsage: "PATH",
		Description: "For an init container that brings the program into another container's volume, as the image has no cp. The file is\n" +
			"replaced in one step: a process that runs the old one goes on, and none runs half of the new. A symbolic link is followed,\n" +
			"as cp does: the file that it leads to is replaced.",
		Action: func(c *cli.Context) error {
			if c.Args().First() == "" { // also if a variable is not set
				return faultf("install: give the file or the directory to copy to, as in: lease-sidecar install /shared")
			}
			return install.To(c.Args().First())
		},
	}
}

func demoCommand() *cli.Command {
	return &cli.Command{
		Name:  "demo",
		Usage: "play three replicas on this machine, with no cluster, and move leadership in several ways",
		Description: "Shows each move and its time, and watches that two never lead at once. It takes about 15 s. Exit code 1 where two did,\n" +
			"or where a move did not happen. A live picture in a terminal; plain lines elsewhere, and where TERM is dumb. NO_COLOR is\n" +
			"respected.",
		Action: runDemo,
	}
}

// toyCommand is the workload that the demo runs beside each sidecar.
func toyCommand() *cli.Command {
	return &cli.Command{
		Name: "toy", Hidden: true, Usage: "the demo's workload",
		Flags:  flags(signalDirFlag),
		Action: runToy,
	}
}

func versionCommand() *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "print the version of this program and what built it",
		Action: func(c *cli.Context) error {
			_, err := fmt.Fprintf(c.App.Writer, "lease-sidecar %s %s %s/%s\n", versionText(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}

// versionText returns the linker's version, else the module's, else the commit of the build.
func versionText() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}
