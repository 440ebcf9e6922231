package main

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/health"
	"github.com/lease-sidecar/lease-sidecar/internal/httpapi"
	"github.com/lease-sidecar/lease-sidecar/internal/membership"
	"github.com/lease-sidecar/lease-sidecar/internal/options"
	"github.com/lease-sidecar/lease-sidecar/internal/podid"
	"github.com/lease-sidecar/lease-sidecar/internal/sidecar"
	"github.com/lease-sidecar/lease-sidecar/internal/sight/processes"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/field"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/podlabel"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/process"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/webhook"
)

// config reads all options of `run`, and records every fault.
func (a answers) config() (sidecar.Config, logChoice) {
	c := sidecar.Config{
		Replica:          a.replica(),
		Pod:              podid.FromEnvironment(),
		Node:             os.Getenv("NODE_NAME"),
		Version:          versionText(),
		SignalDir:        a.Text(signalDirFlag),
		HTTPAddress:      a.Address(httpAddressFlag),
		Compat:           httpapi.Compat(a.Choice(compatFlag)),
		ProbeAddress:     a.Address(probeAddressFlag),
		DebugAddress:     a.Address(debugAddressFlag),
		AllowStepDown:    a.Toggle(allowStepDownFlag),
		StopTimeout:      a.Duration(stopTimeoutFlag),
		DrainTimeout:     a.Duration(drainTimeoutFlag),
		Command:          a.givenCommand(),
		ExitWithCommand:  a.Is(onChildExitFlag, "exit"),
		HealthProvesStop: a.Toggle(healthStopFlag),
		WatchProcesses:   a.Is(watchProcessesFlag, "all"),
		WatchExcept:      parsed(a, watchExceptFlag, processes.ParseNames),
		WatchPod:         a.Toggle(watchPodFlag),
		OwnContainer:     a.Text(watchContainerFlag),
		Label:            a.label(),
		Webhook:          a.webhook(),
		Events:           a.Toggle(eventsFlag),
		Membership:       a.membership(),
	}
	a.Choice(placementFlag) // a wrong value is a fault; a right one changes nothing
	var namespace string
	c.Store, namespace = a.store()
	c.Election = a.electorConfig(a.namespace(namespace))
	c.Election.Store = c.Store.Name()
	c.Process = a.process(c.Election, c.StopTimeout)
	c.Health = a.health(c.Command != nil || c.Process.OnLost.Parks())
	log := logChoice{format: a.Choice(logFormatFlag)}
	_ = log.level.UnmarshalText([]byte(a.Choice(logLevelFlag))) // a wrong value is recorded already
	a.Fields(c.Validate())
	return c, log
}

func (a answers) givenCommand() []string {
	command := a.command()
	switch {
	case command == nil:
	case len(command) == 0:
		a.Addf("run --: there is no command: name it after --, or leave -- out")
	default:
		if _, err := exec.LookPath(command[0]); err != nil {
			a.Addf("run -- %s: %w: name a program that is in $PATH, or its whole path", command[0], err)
		}
	}
	return command
}

// replica reads the parts of the identity. It folds a host's name to lower case, as names outside Kubernetes may be mixed.
func (a answers) replica() sidecar.Replica {
	r := sidecar.Replica{Name: a.Text(identityFlag), PodUID: os.Getenv("POD_UID")}
	source := "--identity"
	if r.Name == "" {
		r.Name, source = os.Getenv("POD_NAME"), "POD_NAME"
	}
	if r.Name == "" {
		host, _ := os.Hostname() // an empty name is refused below, with the fix
		r.Name, source = strings.ToLower(host), "the host's name; set --identity"
	}
	_, err := r.Identity(true)
	for _, single := range field.Flatten(err) {
		one, ok := errors.AsType[*field.Error](single)
		switch {
		case ok && one.Field == "PodUID":
			a.Addf("POD_UID %s: want %s; set it from the downward API, or leave it unset", one.Value, one.Want)
		case ok:
			a.Addf("identity %s: want %s (from %s)", one.Value, one.Want, source)
		}
	}
	return r
}

func (a answers) electorConfig(namespace string) elector.Config {
	e := a.election()
	return elector.Config{
		Lease: string(e.lease), Namespace: namespace, Workload: e.workload,
		Duration: a.Duration(leaseDurationFlag), RenewDeadline: a.Duration(renewDeadlineFlag),
		RenewInterval: a.Duration(renewIntervalFlag), ForeignGrace: a.Duration(foreignGraceFlag),
		Priority: a.Number(priorityFlag), LeadUnhealthy: a.Is(allUnhealthyFlag, "lead"), ExitOnLoss: a.Is(onLossFlag, "exit"),
	}.WithDefaults()
}

// store reads where the Lease is, and the namespace of the credentials.
func (a answers) store() (store sidecar.Store, namespace string) {
	place, namespace := a.place()
	return sidecar.Store{REST: place.rest, Dir: place.dir}, namespace
}

// membership reads the options of the membership; nil if it is off.
func (a answers) membership() *membership.Config {
	m := &membership.Config{
		Duration: a.Duration(memberDurationFlag), RenewInterval: a.Duration(memberRenewFlag),
		TTL: a.Duration(memberTTLFlag), Sweep: a.Toggle(memberSweepFlag),
	}
	if !a.Toggle(membershipFlag) {
		return nil
	}
	labels, err := a.podLabels()
	if err != nil {
		a.Addf("--labels-file: %v: mount the downward API's metadata.labels there, as the revision of this pod is read from it", err)
	}
	m.Revision = naming.Revision(labels)
	return m
}

func (a answers) label() *podlabel.Label {
	if a.Text(labelFlag) == "" {
		return nil
	}
	label := parsed(a, labelFlag, podlabel.ParseLabel)
	return &label
}

func (a answers) webhook() *webhook.Config {
	w := &webhook.Config{Timeout: a.Duration(webhookTimeoutFlag)}
	if w.Timeout == 0 {
		a.Refuse(webhookTimeoutFlag, "more than 0s, such as 3s")
	}
	w.Success = parsed(a, webhookStatusesFlag, webhook.ParseStatuses)
	if a.Text(webhookURLFlag) == "" {
		return nil
	}
	w.URL = parsed(a, webhookURLFlag, webhook.ParseURL)
	return w
}

// process reads the options of process signals. Its Target is empty if there are none.
func (a answers) process(election elector.Config, stopTimeout time.Duration) process.Config {
	return process.Config{
		Target:    process.Target{Name: a.Text(processNameFlag), PIDFile: a.Text(pidFileFlag)},
		OnElected: a.processSignal(onElectedFlag), OnLost: a.processSignal(onLostFlag),
		Fence: a.Is(fenceFlag, "kill"), KillMargin: election.KillMargin(), StopTimeout: stopTimeout,
	}
}

func (a answers) processSignal(o options.Text) process.Signo {
	s, err := process.ParseSignal(a.Text(o))
	if err != nil {
		a.Excuse(o)
		a.Addf("--%s %q: %w", o.Name, a.Given(o), err)
	}
	return s
}

// ownStartGrace is the default grace of a workload that starts only once this replica leads.
const ownStartGrace = 30 * time.Second

// health reads the health options. startsLate says that the options let the workload run only while this replica leads; a
// parked process does not run either.
func (a answers) health(startsLate bool) health.Config {
	c := health.Config{
		URL: a.Text(healthURLFlag), TCP: a.Text(healthTCPFlag), File: a.Text(healthFileFlag),
		FileMaxAge: a.Duration(healthMaxAgeFlag), Interval: a.Duration(healthIntervalFlag), Timeout: a.Duration(healthTimeoutFlag),
		Threshold: a.Number(healthThresholdFlag), SuccessThreshold: a.Number(healthSuccessesFlag),
		StartGrace: a.Duration(healthGraceFlag), Cooldown: a.Duration(healthCooldownFlag),
		WhileLeading: startsLate,
	}
	if a.Choice(healthWhileFlag) != "" {
		c.WhileLeading = a.Is(healthWhileFlag, "leading")
	}
	if c.Timeout == 0 {
		c.Timeout = min(c.Interval, time.Second)
	}
	if c.WhileLeading && a.Given(healthGraceFlag) == "" {
		c.StartGrace = ownStartGrace
	}
	return c
}
