//go:build linux

package sidecar

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/event"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/podlabel"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/webhook"
)

// labelMoment is how long a handover waits for the label's removal. The one request that it takes is answered in
// milliseconds; where it is not, the release would have to wait for the same API server.
const labelMoment = 200 * time.Millisecond

// openRemote makes the signals that go over the network. api is nil where there is no API server: then there is neither label
// nor Events. events is among the outputs; nil without Events.
func (cfg Config) openRemote(log *slog.Logger, clock bootclock.Clock, api *kube.Client) (outputs []signals.Output, events *event.Signal) {
	if cfg.Webhook != nil {
		config := *cfg.Webhook
		config.Clock = clock
		output := signals.Output{Signal: webhook.New(config), Wait: signals.NoWait(), Remote: true}
		if config.URL.Loopback() { // it is the workload's own
			output.Wait = signals.Required()
		}
		outputs = append(outputs, output)
	}
	if cfg.Label != nil && api != nil {
		config := *cfg.Label
		config.API, config.Clock = api, clock
		outputs = append(outputs, signals.Output{Signal: podlabel.New(config), Wait: signals.BestEffort(labelMoment), Remote: true})
	}
	if cfg.Events && api != nil {
		events = event.New(event.Config{API: api, Host: cfg.Node, Clock: clock, Log: log})
		outputs = append(outputs, signals.Output{Signal: events, Wait: signals.NoWait(), Remote: true})
	}
	return outputs, events
}

// abandoned records a drain that was given up while the workload was seen to run.
func (c *candidate) abandoned(d elector.Drain, running []string) {
	if c.events == nil {
		return
	}
	l := c.elector.Leadership()
	c.events.Warn(l, "DrainAbandoned", fmt.Sprintf("%s gave up its handover (token %s): the workload still runs (%s), and its work may overlap with the next leader's",
		l.Identity, d.Token, strings.Join(running, ", ")))
}
