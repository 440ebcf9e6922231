//go:build linux

package sidecar

import (
	"strings"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/address"
	"github.com/lease-sidecar/lease-sidecar/internal/sight/processes"
	"github.com/lease-sidecar/lease-sidecar/pkg/field"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/file"
)

// minStopTimeout is the least stop timeout: with less, every handover would abandon or kill a workload that is just ending.
const minStopTimeout = time.Second

// Validate returns every fault at once, each a [*field.Error] whose Field is a path in the Config such as
// "Election.RenewDeadline"; see [field.Faults]. It examines the signal directory and the pid namespace, and changes nothing.
func (cfg Config) Validate() error {
	f := &field.Faults{}
	e := cfg.Election
	e.Identity = "set by Run"
	f.Nested("Election", e.Validate())
	f.Nested("Health", cfg.Health.Validate())
	f.Nested("Process", cfg.Process.Validate())
	if cfg.StopTimeout < minStopTimeout {
		f.Add(field.Quoted("StopTimeout", cfg.StopTimeout.String(),
			"%s or more, and less than the pod's terminationGracePeriodSeconds; 30s is usual", minStopTimeout))
	}
	if cfg.SignalDir != "" {
		if err := file.CheckDir(cfg.SignalDir); err != nil {
			f.Wrong("SignalDir", cfg.SignalDir, "a directory that can be written to: %s", err)
		}
	}
	validateAddress(f, "HTTPAddress", cfg.HTTPAddress)
	if strings.HasPrefix(cfg.ProbeAddress, "unix:") {
		f.Add(field.Quoted("ProbeAddress", cfg.ProbeAddress, "HOST:PORT or off, as the kubelet asks over the network"))
	} else {
		validateAddress(f, "ProbeAddress", cfg.ProbeAddress)
	}
	validateDebugAddress(f, cfg.DebugAddress)
	if cfg.Membership != nil {
		f.Nested("Membership", cfg.membership().Validate())
	}
	cfg.validateCluster(f)
	cfg.validateWatch(f)
	return f.Err()
}

// validateCluster checks what needs a pod or an API server.
func (cfg Config) validateCluster(f *field.Faults) {
	var ofAPI []string
	if cfg.Label != nil {
		ofAPI = append(ofAPI, "a label")
	}
	if cfg.WatchPod {
		ofAPI = append(ofAPI, "watching the pod")
	}
	if len(ofAPI) > 0 && (cfg.Pod.Name == "" || cfg.Pod.UID == "") {
		f.Wrong("Pod", "", "POD_NAME and POD_UID from the downward API (metadata.name, metadata.uid), for %s", strings.Join(ofAPI, " and "))
	}
	if cfg.Events {
		ofAPI = append(ofAPI, "Events")
	}
	if len(ofAPI) > 0 && cfg.Store.Dir != "" {
		f.Wrong("Store", "dir:"+cfg.Store.Dir, "kube, as there is no API server for %s; or leave that out", strings.Join(ofAPI, " and "))
	}
}

func (cfg Config) validateWatch(f *field.Faults) {
	switch {
	case cfg.WatchProcesses:
		if err := processes.CheckNamespace(); err != nil {
			f.Wrong("WatchProcesses", `"all"`, "a pid namespace that the pod's containers share: %s", err)
		}
	case len(cfg.WatchExcept) > 0:
		f.Add(field.Quoted("WatchExcept", strings.Join(cfg.WatchExcept, ","),
			"processes to leave it out of, and none are watched: watch all, or leave it out"))
	}
}

// validateDebugAddress checks the address for profiles, which are nobody's business but the pod's.
func validateDebugAddress(f *field.Faults, text string) {
	validateAddress(f, "DebugAddress", text)
	if a, err := address.Parse(text); err == nil && !a.Loopback() {
		f.Add(field.Quoted("DebugAddress", text, "127.0.0.1:PORT, unix:PATH or off, as profiles show the program's inside and cost CPU: reach it with kubectl port-forward"))
	}
}

// validateAddress checks an address to listen on; "" is none.
func validateAddress(f *field.Faults, name, text string) {
	if text == "" {
		return
	}
	if _, err := address.Parse(text); err != nil {
		f.Add(field.Named(name, err))
	}
}
