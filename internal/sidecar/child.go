//go:build linux

package sidecar

import (
	"context"
	"log/slog"
	"os"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/internal/health"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/child"
)

// command is child mode, put together.
type command struct {
	*child.Child
	exit   bool
	closed bool
}

// commandElection is what the command's end commands.
type commandElection struct {
	*elector.Elector
	voice health.Voice
}

func (c commandElection) SetHealthy(healthy bool, why string) { c.voice.SetHealthy(healthy, why) }

// openCommand starts the guard of the command. The voice says whether the command is healthy, and quit ends the sidecar.
func (cfg Config) openCommand(of *elector.Elector, voice health.Voice, quit func(error), clock bootclock.Clock, log *slog.Logger) (*command, error) {
	c := &command{exit: cfg.ExitWithCommand}
	config := child.Config{
		Command: cfg.Command, KillMargin: cfg.Election.KillMargin(), StopTimeout: cfg.StopTimeout, Clock: clock,
		Election: commandElection{of, voice}, Log: log,
	}
	if cfg.ExitWithCommand {
		config.Exit = quit
	}
	var err error
	c.Child, err = child.New(config)
	return c, err
}

// close lets the command stop in its own time, until it is to be killed or somebody abandons the wait, and ends its guard. It
// returns the status to end with.
func (c *command) close() error {
	c.Close()
	if status := c.Status(); c.exit && status != 0 {
		return CommandStatus(status)
	}
	return nil
}

// closeCommand ends the command, where there is one and that has not been done.
func (c *candidate) closeCommand() error {
	if c.command == nil || c.command.closed {
		return nil
	}
	c.command.closed = true
	return c.command.close()
}

// abandon ends all waiting for the workload's own end.
func (c *candidate) abandon() {
	c.elector.Abandon()
	if c.command != nil {
		c.command.Abandon()
	}
	if c.process != nil {
		c.process.Abandon()
	}
}

// reapAsParent collects the orphans that come to this process, where they do: as pid 1, and as a command's subreaper.
func (c *candidate) reapAsParent(ctx context.Context) {
	if c.command != nil || os.Getpid() == 1 {
		guard.Reap(ctx)
	}
}
