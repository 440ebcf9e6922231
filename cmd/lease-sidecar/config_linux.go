package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/health"
	"github.com/lease-sidecar/lease-sidecar/internal/httpapi"
	"github.com/lease-sidecar/lease-sidecar/internal/sidecar"
	"github.com/lease-sidecar/lease-sidecar/internal/sight/podstatus"
	"github.com/lease-sidecar/lease-sidecar/internal/sight/processes"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/field"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/podlabel"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/process"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/webhook"
)

// config reads all options of `run`, and notes every fault.
func (a answers) config() (sidecar.Config, logChoice) {
	c := sidecar.Config{
		Candidate:        a.candidate(),
		Pod:              thisPod(),
		Node:             os.Getenv("NODE_NAME"),
		Version:          versionText(),
		SignalDir:        a.text(signalDirFlag),
		HTTPAddress:      a.address(httpAddressFlag),
		Compat:           httpapi.Compat(a.choice(compatFlag)),
		ProbeAddress:     a.address(probeAddressFlag),
		AllowStepDown:    a.toggle(allowStepDownFlag),
		StopTimeout:      a.duration(stopTimeoutFlag),
		DrainTimeout:     a.duration(drainTimeoutFlag),
		Command:          a.givenCommand(),
		ExitWithCommand:  a.is(onChildExitFlag, "exit"),
		HealthProvesStop: a.toggle(healthStopFlag),
		WatchProcesses:   a.is(watchProcessesFlag, "all"),
		WatchExcept:      a.watchExcept(),
		Webhook:          a.webhook(),
		Events:           a.toggle(eventsFlag),
	}
	a.choice(placementFlag) // it says where the sidecar runs, and decides nothing
	var namespace string
	c.Store, namespace = a.store()
	c.Election = a.electorConfig(a.namespace(namespace))
	c.Election.Store = c.Store.Name()
	c.Process = a.process(c.Election, c.StopTimeout)
	c.Health = a.health(c.Command != nil || c.Process.OnLost.Parks())
	c.Label = a.label(c.Election.Namespace)
	c.WatchPod = a.watchPod(c.Election.Namespace)
	log := logChoice{format: a.choice(logFormatFlag)}
	_ = log.level.UnmarshalText([]byte(a.choice(logLevelFlag))) // a wrong one is noted already
	a.fields(c.Validate())
	return c, log
}

// givenCommand reads the command that runs only while this replica leads.
func (a answers) givenCommand() []string {
	command := a.command()
	switch {
	case command == nil:
	case len(command) == 0:
		a.addf("run --: there is no command: name it after --, or leave -- out")
	default:
		if _, err := exec.LookPath(command[0]); err != nil {
			a.addf("run -- %s: %w: name a program that is in $PATH, or its whole path", command[0], err)
		}
	}
	return command
}

// candidate reads the identity's parts. A host's name is folded to lower case, as machines outside Kubernetes have
// all sorts.
func (a answers) candidate() sidecar.Candidate {
	c := sidecar.Candidate{Name: a.text(identityFlag), PodUID: os.Getenv("POD_UID")}
	source := "--identity"
	if c.Name == "" {
		c.Name, source = os.Getenv("POD_NAME"), "POD_NAME"
	}
	if c.Name == "" {
		host, _ := os.Hostname() // an empty name is refused below, with the fix
		c.Name, source = strings.ToLower(host), "the host's name; set --identity"
	}
	_, err := c.Identity(true)
	for _, single := range flatten(err) {
		one, ok := errors.AsType[*field.Error](single)
		switch {
		case ok && one.Field == "PodUID":
			a.addf("POD_UID %s: want %s; set it from the downward API, or leave it unset", one.Value, one.Want)
		case ok:
			a.addf("identity %s: want %s (from %s)", one.Value, one.Want, source)
		}
	}
	return c
}

// electorConfig reads what to campaign for and on which timings.
func (a answers) electorConfig(namespace string) elector.Config {
	e := a.election()
	return elector.Config{
		Lease: string(e.lease), Namespace: namespace, Workload: e.workload,
		Duration: a.duration(leaseDurationFlag), RenewDeadline: a.duration(renewDeadlineFlag),
		RenewInterval: a.duration(renewIntervalFlag), ForeignGrace: a.duration(foreignGraceFlag),
		Priority: a.number(priorityFlag), LeadUnhealthy: a.is(allUnhealthyFlag, "lead"), ExitOnLoss: a.is(onLossFlag, "exit"),
	}.WithDefaults()
}

// store reads where the Lease is, and the namespace that goes with the credentials.
func (a answers) store() (store sidecar.Store, namespace string) {
	text := a.text(storeFlag)
	path, isDir := strings.CutPrefix(text, "dir:")
	switch {
	case text == "kube":
		config, namespace, err := kube.LoadConfig(a.text(kubeconfigFlag), a.text(contextFlag))
		if errors.Is(err, kube.ErrNoCluster) {
			err = fmt.Errorf("%w: set --kubeconfig or KUBECONFIG, or run in a pod with a ServiceAccount token", err)
		}
		if err != nil {
			a.addf("--store kube: %w; for replicas on one machine set --store dir:PATH", err)
		}
		return sidecar.Store{REST: config}, namespace
	case isDir && path != "":
		if _, err := os.Stat(filepath.Dir(path)); err != nil {
			a.addf("--store %q: %w: make that directory first", text, err)
		}
		return sidecar.Store{Dir: path}, "default"
	}
	a.refuse(storeFlag, "kube, or dir:PATH")
	return sidecar.Store{}, "default"
}

// namespace returns the Lease's namespace; fallback is the credentials'.
func (a answers) namespace(fallback string) string {
	namespace := cmp.Or(a.text(namespaceFlag), os.Getenv("POD_NAMESPACE"), fallback)
	switch {
	case namespace != "":
		a.of(namespaceFlag, naming.ValidateNamespace(namespace))
	case a.list == nil: // else it may be missing because of what is wrong already
		a.addf("no namespace: set --namespace, or POD_NAMESPACE from the downward API")
	}
	return namespace
}

// label reads which label the leader's pod has.
func (a answers) label(namespace string) *podlabel.Config {
	text := a.text(labelFlag)
	if text == "" {
		return nil
	}
	label, err := podlabel.ParseLabel(text)
	a.of(labelFlag, err)
	pod := thisPod()
	return &podlabel.Config{Label: label, Pod: pod.Name, UID: pod.UID, Namespace: cmp.Or(pod.Namespace, namespace)}
}

// webhook reads where the document is sent.
func (a answers) webhook() *webhook.Config {
	w := &webhook.Config{Timeout: a.duration(webhookTimeoutFlag)}
	if w.Timeout == 0 {
		a.refuse(webhookTimeoutFlag, "more than 0s, such as 3s")
	}
	var err error
	w.Success, err = webhook.ParseStatuses(a.text(webhookStatusesFlag))
	a.of(webhookStatusesFlag, err)
	text := a.text(webhookURLFlag)
	if text == "" {
		return nil
	}
	w.URL, err = webhook.ParseURL(text)
	a.of(webhookURLFlag, err)
	return w
}

// process reads which process gets process signals; its Target is not given where there is none.
func (a answers) process(election elector.Config, stopTimeout time.Duration) process.Config {
	return process.Config{
		Target:    process.Target{Name: a.text(processNameFlag), PIDFile: a.text(pidFileFlag)},
		OnElected: a.processSignal(onElectedFlag), OnLost: a.processSignal(onLostFlag),
		Fence: a.is(fenceFlag, "kill"), KillMargin: election.KillMargin(), StopTimeout: stopTimeout,
	}
}

func (a answers) processSignal(o textOption) process.Signo {
	s, err := process.ParseSignal(a.text(o))
	a.unreadable(o, err)
	return s
}

// watchExcept reads which programs are not watched.
func (a answers) watchExcept() []string {
	names, err := processes.ParseNames(a.text(watchExceptFlag))
	a.of(watchExceptFlag, err)
	return names
}

// watchPod reads whether the pod's own status is watched.
func (a answers) watchPod(namespace string) *podstatus.Config {
	if !a.toggle(watchPodFlag) {
		return nil
	}
	pod := thisPod()
	return &podstatus.Config{Pod: pod.Name, UID: pod.UID, Namespace: cmp.Or(pod.Namespace, namespace), Container: a.text(watchContainerFlag)}
}

// ownStartGrace is the default grace of a workload that only starts once this replica leads.
const ownStartGrace = 30 * time.Second

// health reads the health options. startsLate says that the workload runs only while this replica leads, as far as the options
// show: a process that is parked runs as little as one that has not been started.
func (a answers) health(startsLate bool) health.Config {
	c := health.Config{
		URL: a.text(healthURLFlag), TCP: a.text(healthTCPFlag), File: a.text(healthFileFlag),
		FileMaxAge: a.duration(healthMaxAgeFlag), Interval: a.duration(healthIntervalFlag), Timeout: a.duration(healthTimeoutFlag),
		Threshold: a.number(healthThresholdFlag), SuccessThreshold: a.number(healthSuccessesFlag),
		StartGrace: a.duration(healthGraceFlag), Cooldown: a.duration(healthCooldownFlag),
		WhileLeading: startsLate,
	}
	if a.choice(healthWhileFlag) != "" {
		c.WhileLeading = a.is(healthWhileFlag, "leading")
	}
	if c.Timeout == 0 {
		c.Timeout = min(c.Interval, time.Second)
	}
	if c.WhileLeading && a.given(healthGraceFlag.option) == "" {
		c.StartGrace = ownStartGrace
	}
	return c
}
