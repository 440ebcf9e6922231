package main

import (
	"os"
	"strings"

	"github.com/lease-sidecar/lease-sidecar/pkg/signals/podlabel"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/webhook"
)

// remoteOptions are the options of the signals that go over the network.
var remoteOptions = []string{"label", "webhook-url", "webhook-timeout", "webhook-success-status", "events"}

// remoteSettings is what was said about those signals.
type remoteSettings struct {
	label   *podlabel.Config // nil for none; its API and Clock are set by open
	webhook *webhook.Config  // nil for none; its Clock is set by open
	events  bool
}

// remote reads the options of the signals that go over the network. namespace is the Lease's.
func (a answers) remote(namespace string) remoteSettings {
	s := remoteSettings{events: a.toggle("events")}
	s.label, s.webhook = a.label(namespace), a.webhook()
	if store := a.text("store"); strings.HasPrefix(store, "dir:") && (s.label != nil || s.events) {
		a.addf("--label, --events: they need an API server, which --store %s does without: leave them out, or set --store kube", store)
	}
	return s
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
