//go:build linux

package sidecar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/internal/health"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/child"
)

var _ signals.Signal = (*child.Child)(nil)

// command is child mode, put together.
type command struct {
	*child.Child
	exit      bool
	closed    bool
	ends      chan child.End
	abandon   func()
	abandoned chan struct{} // closed when nobody waits for the command's own end any more
	elector   *elector.Elector
	voice     health.Voice // whether the command is healthy
	backoff   child.Backoff
	log       *slog.Logger
}

// openCommand starts the guard of the command. The voice says whether the command is healthy.
func (cfg Config) openCommand(of *elector.Elector, voice health.Voice, clock bootclock.Clock, log *slog.Logger) (*command, error) {
	c := &command{exit: cfg.ExitWithCommand, ends: make(chan child.End, 1), abandoned: make(chan struct{}), elector: of, voice: voice, log: log}
	c.abandon = sync.OnceFunc(func() { close(c.abandoned) })
	config := child.Config{
		Command: cfg.Command, KillMargin: cfg.Election.KillMargin(), StopTimeout: cfg.StopTimeout, Clock: clock, Log: log,
		Ended: func(e child.End) {
			select {
			case c.ends <- e:
			default: // one that nobody has dealt with is there: leadership is given up already
			}
		},
	}
	var err error
	c.Child, err = child.New(config)
	return c, err
}

// run drives the command until ctx ends. endCampaign ends the election, in good order.
func (c *command) run(ctx context.Context, endCampaign func(error)) {
	stopForwarding := forward(c.Child)
	defer stopForwarding()
	watching, stopWatching := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		c.Run(watching)
	}()
	defer func() {
		stopWatching()
		<-watched
	}()
	var pause <-chan time.Time
	for {
		select {
		case e := <-c.ends:
			if d := c.ended(e, endCampaign); d > 0 {
				pause = time.After(d)
			}
		case <-pause:
			pause = nil
			c.voice.SetHealthy(true, "the pause after the command's end is over")
		case <-ctx.Done():
			return
		}
	}
}

// ended acts on a command that ended while this replica led. It returns how long the replica stays unhealthy for that.
func (c *command) ended(e child.End, endCampaign func(error)) time.Duration {
	why := fmt.Sprintf("the command ended with status %d", e.Status)
	if e.Fault != "" {
		why = "the command cannot be started: " + e.Fault
	}
	switch {
	case e.Ordered: // the guard's deadline passed first: no fault of the command
		_ = c.elector.StepDown("the guard has stopped the command at its deadline") // an error: it leads no more
		return 0
	case c.exit:
		endCampaign(errors.New(why))
		return 0
	}
	d := c.backoff.Next(e.Ran)
	c.log.Info("handing over, and standing by for a while", "why", why, "pause", d)
	c.voice.SetHealthy(false, why)
	return d
}

// close lets the command stop in its own time, until it is to be killed or somebody abandons the wait, and ends its guard. It
// returns the status to end with.
func (c *command) close() error {
	ctx, cancel := context.WithCancel(context.Background())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-c.abandoned:
			cancel()
		case <-ctx.Done():
		}
	}()
	err := c.Close(ctx)
	cancel()
	<-watched
	if status := c.Status(); c.exit && status != 0 {
		err = errors.Join(CommandStatus(status), err)
	}
	return err
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
		c.command.abandon()
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
