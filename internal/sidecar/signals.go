//go:build linux

package sidecar

import (
	"os"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/internal/health"
	"github.com/lease-sidecar/lease-sidecar/internal/httpapi"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/child"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/event"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/file"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/podlabel"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/process"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/webhook"
)

// labelMoment is how long a handover waits for the label's removal. That takes one request, which is answered in
// milliseconds; if not, the release would have to wait for the same API server.
const labelMoment = 200 * time.Millisecond

// addEventStream adds GET /events. It also keeps the answer to GET /leader.
func addEventStream(k *kit) error {
	k.feed = httpapi.NewFeed(k.clock)
	k.add(part{signal: k.feed})
	return nil
}

func addFile(k *kit) (err error) {
	if k.cfg.SignalDir == "" {
		return nil
	}
	if k.file, err = file.New(k.cfg.SignalDir, k.clock, k.log); err != nil {
		return err
	}
	k.add(part{signal: k.file, close: k.file.Close})
	return nil
}

// addProcess adds the process signals. Their process is also a sight.
func addProcess(k *kit) error {
	if !k.cfg.Process.Target.Given() {
		return nil
	}
	config := k.cfg.Process
	config.Clock, config.Log = k.clock, k.log
	config.Crashed = k.crash("process")
	p, err := process.New(config)
	if err != nil {
		return err
	}
	k.add(part{signal: p, sight: p, run: p.Run, finish: p.Finish, abandon: p.Abandon, close: p.Close})
	return nil
}

// commandElection receives the consequences of the command's end.
type commandElection struct {
	*elector.Elector
	voice health.Voice
}

func (c commandElection) SetHealthy(healthy bool, why string) { c.voice.SetHealthy(healthy, why) }

// addCommand adds the command that runs only while this replica leads. It also collects the orphans that this process
// inherits: as the command's subreaper, or as pid 1.
func addCommand(k *kit) error {
	if k.cfg.Command == nil {
		if os.Getpid() == 1 {
			k.add(part{run: guard.Reap})
		}
		return nil
	}
	config := child.Config{
		Command: k.cfg.Command, KillMargin: k.cfg.Election.KillMargin(), StopTimeout: k.cfg.StopTimeout, Clock: k.clock,
		Election: commandElection{k.elector, k.board.Voice("command")}, Log: k.log,
	}
	if k.cfg.ExitWithCommand {
		config.Exit = k.quit
	}
	c, err := child.New(config)
	if err != nil {
		return err
	}
	// Close lets the command stop by itself, until its kill deadline or an abandoned wait.
	end := func() error {
		c.Close()
		if status := c.Status(); k.cfg.ExitWithCommand && status != 0 {
			return CommandStatus(status)
		}
		return nil
	}
	k.add(part{run: guard.Reap})
	k.add(part{signal: c, sight: c, run: c.Run, abandon: c.Abandon, close: end})
	return nil
}

// addWebhook adds the webhook. A handover waits only for one on loopback, which is the workload itself.
func addWebhook(k *kit) error {
	if k.cfg.Webhook == nil {
		return nil
	}
	config := *k.cfg.Webhook
	config.Clock = k.clock
	wait := signals.NoWait()
	if config.URL.Loopback() {
		wait = signals.Required()
	}
	k.add(part{signal: webhook.New(config), wait: wait, remote: true})
	return nil
}

func addLabel(k *kit) error {
	if k.cfg.Label == nil || k.api == nil {
		return nil
	}
	label := podlabel.New(podlabel.Config{
		API: k.api, Namespace: k.podNamespace(), Pod: k.cfg.Pod.Name, UID: k.cfg.Pod.UID, Label: *k.cfg.Label, Clock: k.clock,
	})
	k.add(part{signal: label, wait: signals.BestEffort(labelMoment), remote: true})
	return nil
}

func addEvents(k *kit) error {
	if !k.cfg.Events || k.api == nil {
		return nil
	}
	k.events = event.New(event.Config{API: k.api, Host: k.cfg.Node, Clock: k.clock, Log: k.log})
	k.add(part{signal: k.events, wait: signals.NoWait(), remote: true, run: k.events.Run})
	return nil
}
