package main

import "github.com/urfave/cli/v2"

const withRunLock = "with-run-lock"

func withRunLockCommand() *cli.Command {
	return &cli.Command{
		Name:      withRunLock,
		Usage:     "run COMMAND, and hold the run lock until all its processes have ended",
		UsageText: "lease-sidecar with-run-lock --signal-dir DIR -- COMMAND [ARG...]",
		Description: `For a workload that closes all descriptors, or leaves processes behind that do: these would lose
a lock of their own. It runs in the workload's container, as the parent of COMMAND. It passes
process signals on, and exits with the status of COMMAND. Start the sidecar first: it makes the
lock's file.

EXAMPLES:
  lease-sidecar with-run-lock --signal-dir /signal -- ./worker`,
		Flags: flags(signalDirFlag),
		Action: func(c *cli.Context) error {
			a := answersOf(c)
			dir, command := a.Text(signalDirFlag), a.command()
			if dir == "" {
				a.Addf("--signal-dir \"\": where is the run lock? Give the directory that the sidecar has as its --signal-dir")
			}
			if len(command) == 0 {
				a.Addf("%s: there is no command: name it after --, as in: lease-sidecar %s --signal-dir DIR -- COMMAND", withRunLock, withRunLock)
			}
			if err := a.err(); err != nil {
				return err
			}
			return holdRunLock(dir, command, c.App.ErrWriter)
		},
	}
}
