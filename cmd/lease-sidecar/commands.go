package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"

	"github.com/lease-sidecar/lease-sidecar/internal/install"
	"github.com/lease-sidecar/lease-sidecar/internal/usage"
)

func runCommand() *cli.Command {
	return &cli.Command{
		Name:      "run",
		Usage:     "run the sidecar: campaign for the Lease, and signal to the workload",
		UsageText: "lease-sidecar run [FLAGS]\nlease-sidecar run [FLAGS] -- COMMAND [ARG...]",
		Description: `With -- COMMAND, the sidecar runs COMMAND only while this replica leads. In a pod, it derives the
workload, and with it the Lease's name, from POD_NAME and the pod's labels. It runs until SIGTERM,
SIGINT, SIGHUP or SIGQUIT, and hands over before it ends. A second one of these, a second or more
after the first, ends the wait for the workload: the Lease is then left to expire. COMMAND gets
SIGHUP and SIGQUIT itself. A SIGHUP that was ignored at the start (nohup) stays ignored. If the
API server is down or refuses, the sidecar does not end: it logs that, and tries again.

EXAMPLES:
  # In a pod: signal by files in a directory that the workload shares
  lease-sidecar run --signal-dir /signal --prefix acme --workload deployment/web
  # Without a cluster: of all who run this on one machine, one at a time runs ./worker
  lease-sidecar run --workload deployment/web --store dir:/tmp/leases \
    --http-address off --probe-address off -- ./worker`,
		Flags:  runFlags(),
		Action: runSidecar,
	}
}

// runFlags returns every option that has a group in the help text.
func runFlags() []cli.Flag {
	var all []cli.Flag
	for _, o := range table.All() {
		if o.Group != "" {
			all = append(all, o.Flag())
		}
	}
	return all
}

func installCommand() *cli.Command {
	return &cli.Command{
		Name:      "install",
		Usage:     "copy this program to a file or into a directory",
		UsageText: "lease-sidecar install PATH",
		ArgsUsage: "PATH",
		Description: `For an init container that puts the program into another container's volume: the image has no cp.
The file is replaced in one step: a program that runs from it goes on, and nobody runs half of the
new one. A symbolic link is followed, as cp does: the file that it leads to is replaced.

EXAMPLES:
  lease-sidecar install /shared`,
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
		Name:      "demo",
		Usage:     "run three replicas on this machine, without a cluster, and move the leader",
		UsageText: "lease-sidecar demo",
		Description: `Shows each move and its time, and checks that two replicas never lead at once. Takes about 15 s.
Exit status 1 if two led at once, or if a move failed. On a terminal it is a live picture. It is
plain lines elsewhere, and with TERM=dumb. NO_COLOR is respected.`,
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
		Name: "version", Usage: "print the version of this program, and what built it",
		UsageText: "lease-sidecar version\nlease-sidecar --version",
		Action:    printVersion,
	}
}

func printVersion(c *cli.Context) error {
	_, err := fmt.Fprintf(c.App.Writer, "lease-sidecar %s %s %s/%s\n", c.App.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

func helpCommand() *cli.Command {
	return &cli.Command{
		Name: "help", Aliases: []string{"h"}, Usage: "show the help of a command, or of all",
		UsageText: "lease-sidecar help [COMMAND]\nlease-sidecar COMMAND --help",
		ArgsUsage: "[COMMAND]",
		Action: func(c *cli.Context) error {
			switch name := c.Args().First(); {
			case name == "":
				return cli.ShowAppHelp(c)
			case c.App.Command(name) == nil:
				return unknownCommand(c, name)
			default:
				return cli.ShowCommandHelp(c, name)
			}
		},
	}
}

// referenceCommand is for `make docs`.
func referenceCommand() *cli.Command {
	return &cli.Command{
		Name: "docs", Hidden: true, Usage: "print the reference of the commands and flags, in Markdown",
		Action: func(c *cli.Context) error { return usage.Reference(c.App) },
	}
}

// versionText returns the linker's version, else the module's, else the commit that was built.
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
