package main

import (
	"os"
	"strings"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/sidecar"
	"github.com/lease-sidecar/lease-sidecar/internal/sight/podstatus"
	"github.com/lease-sidecar/lease-sidecar/internal/sight/processes"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/podlabel"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/process"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/webhook"
)

// remote reads the options of the signals that go over the network.
func (a answers) remote(c *sidecar.Config) {
	c.Label, c.Webhook, c.Events = a.label(c.Election.Namespace), a.webhook(), a.toggle("events")
	if store := a.text("store"); strings.HasPrefix(store, "dir:") && (c.Label != nil || c.Events) {
		a.addf("--label, --events: they need an API server, which --store %s does without: leave them out, or set --store kube", store)
	}
}

// label reads which label the leader's pod bears, and whose pod this is.
func (a answers) label(namespace string) *podlabel.Config {
	text := a.text("label")
	if text == "" {
		return nil
	}
	label, err := podlabel.ParseLabel(text)
	a.of("label", err)
	pod := &podlabel.Config{Label: label, Pod: os.Getenv("POD_NAME"), UID: os.Getenv("POD_UID"), Namespace: os.Getenv("POD_NAMESPACE")}
	if pod.Namespace == "" {
		pod.Namespace = namespace
	}
	if pod.Pod == "" || pod.UID == "" {
		a.addf("--label %s: which pod is this? Set POD_NAME and POD_UID from the downward API (metadata.name, metadata.uid)", text)
	}
	return pod
}

// webhook reads where the document is sent.
func (a answers) webhook() *webhook.Config {
	timeout, ok := a.readDuration("webhook-timeout")
	if ok && timeout == 0 {
		a.addf("--webhook-timeout %q: want more than 0s, such as 3s", a.text("webhook-timeout"))
	}
	w := &webhook.Config{Timeout: timeout}
	var err error
	if w.Success, err = webhook.ParseStatuses(a.text("webhook-success-status")); err != nil {
		a.of("webhook-success-status", err)
	}
	text := a.text("webhook-url")
	if text == "" {
		return nil
	}
	w.URL, err = webhook.ParseURL(text)
	a.of("webhook-url", err)
	return w
}

// process reads which process to tell; its Target is not given where there is none.
func (a answers) process(election elector.Config, stopTimeout time.Duration) process.Config {
	c := process.Config{
		Target:    process.Target{Name: a.text("process-name"), PIDFile: a.text("pid-file")},
		OnElected: a.processSignal("on-elected"), OnLost: a.processSignal("on-lost"),
		Fence: a.choice("fence", "none", "kill") == "kill", KillMargin: election.KillMargin(), StopTimeout: stopTimeout,
	}
	a.add(c.Validate())
	return c
}

func (a answers) processSignal(name string) process.Signo {
	s, err := process.ParseSignal(a.text(name))
	if err != nil {
		a.addf("--%s %q: %w", name, a.text(name), err)
	}
	return s
}

// sights reads by what the workload is seen. The run lock and GET /running need no options.
func (a answers) sights(c *sidecar.Config) {
	except, err := processes.ParseNames(a.text("watch-processes-except"))
	a.of("watch-processes-except", err)
	c.WatchExcept = except
	switch text := a.text("watch-processes"); text {
	case "":
		if a.text("watch-processes-except") != "" {
			a.addf("--watch-processes-except %q: no processes are watched: add --watch-processes all", a.text("watch-processes-except"))
		}
	case "all":
		c.WatchProcesses = true
		if err := processes.CheckNamespace(); err != nil {
			a.addf("--watch-processes %q: %w", text, err)
		}
	default:
		a.addf("--watch-processes %q: want all", text)
	}
	c.WatchPod = a.watchPod(c.Election.Namespace)
}

// watchPod reads whether the pod's own status is watched, and whose it is.
func (a answers) watchPod(namespace string) *podstatus.Config {
	if !a.toggle("watch-pod") {
		return nil
	}
	pod := &podstatus.Config{
		Pod: os.Getenv("POD_NAME"), UID: os.Getenv("POD_UID"), Namespace: os.Getenv("POD_NAMESPACE"),
		Container: a.text("watch-pod-container"),
	}
	if pod.Namespace == "" {
		pod.Namespace = namespace
	}
	if pod.Pod == "" || pod.UID == "" {
		a.addf("--watch-pod: which pod is this? Set POD_NAME and POD_UID from the downward API (metadata.name, metadata.uid)")
	}
	if store := a.text("store"); strings.HasPrefix(store, "dir:") {
		a.addf("--watch-pod: it needs an API server, which --store %s does without: leave it out, or set --store kube", store)
	}
	return pod
}
