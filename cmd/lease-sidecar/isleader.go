package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

func isLeaderCommand() *cli.Command {
	return &cli.Command{
		Name:  "is-leader",
		Usage: "exit 0 when this replica leads now, 1 when not, 2 when that cannot be told",
		Description: "With --signal-dir it reads the directory, which also tells when the sidecar is frozen or dead; else it asks the sidecar\n" +
			"at --http-address. It prints nothing but the reason for a 2.",
		Flags:  flags(signalDirFlag, httpAddressFlag),
		Action: isLeader,
	}
}

func isLeader(c *cli.Context) error {
	a := answersOf(c)
	l, err := a.leadership()
	if faults := a.err(); faults != nil {
		return faults
	}
	switch {
	case err != nil:
		return fault{fmt.Errorf("cannot tell: %w", err)}
	case !l.IsLeader:
		return errNo
	}
	return nil
}

func (a answers) leadership() (leadership.Leadership, error) {
	if dir := a.text(signalDirFlag); dir != "" {
		return leadership.Read(dir)
	}
	sidecar := a.local()
	if a.err() != nil {
		return leadership.Leadership{}, nil
	}
	return sidecar.Leadership(a.c.Context)
}
