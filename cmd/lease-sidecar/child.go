package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/internal/health"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/child"
)

// childOptions are the options of child mode.
var childOptions = []string{"on-child-exit"}

// metaChild is where newApp keeps what followed "--".
const metaChild = "child"

// childStatus is the exit code of a sidecar that ends as its command did.
type childStatus int

func (s childStatus) Error() string {
	return fmt.Sprintf("the command has ended with status %d", int(s))
}

// childSettings is the command that runs only while this replica leads.
type childSettings struct {
	command []string // nil for none
	exit    bool     // the sidecar ends when the command does, with its status
}

// command returns what followed "--"; nil without one.
func (a answers) command() []string {
	command, _ := a.c.App.Metadata[metaChild].([]string)
	return command
}

// child reads the command and what to do when it ends.
func (a answers) child() childSettings {
	command := a.command()
	s := childSettings{command: command, exit: a.choice("on-child-exit", "standby", "exit") == "exit"}
	switch {
	case command == nil:
		return s
	case len(command) == 0:
		a.addf("run --: there is no command: name it after --, or leave -- out")
		return s
	}
	if _, err := exec.LookPath(command[0]); err != nil {
		a.addf("run -- %s: %w: name a program that is in $PATH, or its whole path", command[0], err)
	}
	return s
}

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

// open starts the guard of the command. quit ends the sidecar, in good order.
func (s childSettings) open(log *slog.Logger, election elector.Config, stopTimeout time.Duration, commanded commandElection, quit func(error)) (*command, error) {
	c := &command{exit: s.exit}
	config := child.Config{
		Command: s.command, KillMargin: election.KillMargin(), StopTimeout: stopTimeout, Clock: bootclock.System{},
		Election: commanded, Log: log,
	}
	if s.exit {
		config.Exit = quit
	}
	var err error
	c.Child, err = child.New(config)
	return c, err
}

// close lets the command stop in its own time, until it is to be killed or somebody abandons the wait, and ends its guard. It
// returns the status to end with.
func (c *command) close() error {
	err := c.Close()
	if status := c.Status(); c.exit && status != 0 {
		err = errors.Join(childStatus(status), err)
	}
	return err
}

// closeCommand ends the command, where there is one and that has not been done.
func (c *sidecar) closeCommand() error {
	if c.command == nil || c.command.closed {
		return nil
	}
	c.command.closed = true
	return c.command.close()
}

// abandon ends all waiting for the workload's own end.
func (c *sidecar) abandon() {
	c.elector.Abandon()
	if c.command != nil {
		c.command.Abandon()
	}
	if c.process != nil {
		c.process.abandon()
	}
}

// reapAsParent collects the orphans that come to this process, where they do: as pid 1, and as a command's subreaper.
func (c *sidecar) reapAsParent(ctx context.Context) {
	if c.command != nil || os.Getpid() == 1 {
		guard.Reap(ctx)
	}
}
