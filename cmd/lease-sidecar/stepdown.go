package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/urfave/cli/v2"
)

func stepDownCommand() *cli.Command {
	return &cli.Command{
		Name:  "step-down",
		Usage: "ask this pod's sidecar to hand over to another replica",
		Description: "Returns as soon as the sidecar has taken the request: it lets go of the Lease once the workload has stopped. Exit code 1\n" +
			"where this replica does not lead.",
		Flags:  pick("http-address"),
		Action: stepDown,
	}
}

func stepDown(c *cli.Context) error {
	a := answers{&faults{}, c}
	sidecar := a.local()
	if err := a.err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context, answerTime)
	defer cancel()
	status, body, err := sidecar.do(ctx, http.MethodPost, "/step-down")
	switch {
	case err != nil:
		return err
	case status == http.StatusAccepted:
		return nil
	case status == http.StatusConflict:
		return errors.New("step-down: this replica does not lead")
	}
	return fmt.Errorf("step-down: the sidecar answered %d: %s", status, strings.TrimSpace(string(body)))
}
