//go:build linux

package sidecar

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/lease-sidecar/lease-sidecar/internal/address"
	"github.com/lease-sidecar/lease-sidecar/internal/sight/processes"
	"github.com/lease-sidecar/lease-sidecar/pkg/field"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/file"
)

// minStopTimeout is the least stop timeout: below it every handover would abandon, or kill, a workload that is just ending.
const minStopTimeout = time.Second

// Validate returns every fault at once, each a [*field.Error] whose Field is a path in the Config such as
// "Election.RenewDeadline", as a *multierror.Error. It looks at the signal directory and at the pid namespace, contacts nobody
// and leaves nothing behind.
func (cfg Config) Validate() error {
	f := &faults{}
	e := cfg.Election
	e.Identity = "set by Run"
	f.nested("Election.", e.Validate())
	f.nested("Health.", cfg.Health.Validate())
	f.nested("Process.", cfg.Process.Validate())
	if cfg.StopTimeout < minStopTimeout {
		f.add("StopTimeout", strconv.Quote(cfg.StopTimeout.String()), minStopTimeout.String()+" or more; 30s is usual, and no more than the pod's terminationGracePeriodSeconds")
	}
	if cfg.SignalDir != "" {
		if err := file.CheckDir(cfg.SignalDir); err != nil {
			f.add("SignalDir", cfg.SignalDir, "a directory that can be written to: "+err.Error())
		}
	}
	f.address("HTTPAddress", cfg.HTTPAddress)
	if strings.HasPrefix(cfg.ProbeAddress, "unix:") {
		f.add("ProbeAddress", strconv.Quote(cfg.ProbeAddress), "HOST:PORT or off, as the kubelet asks over the network")
	} else {
		f.address("ProbeAddress", cfg.ProbeAddress)
	}
	cfg.validateCluster(f)
	cfg.validateWatch(f)
	return f.list.ErrorOrNil()
}

// validateCluster judges what needs a pod, and an API server.
func (cfg Config) validateCluster(f *faults) {
	var ofAPI []string
	if cfg.Label != nil {
		ofAPI = append(ofAPI, "a label")
	}
	if cfg.WatchPod {
		ofAPI = append(ofAPI, "watching the pod")
	}
	if len(ofAPI) > 0 && (cfg.Pod.Name == "" || cfg.Pod.UID == "") {
		f.add("Pod", "", "POD_NAME and POD_UID from the downward API (metadata.name, metadata.uid), for "+strings.Join(ofAPI, " and "))
	}
	if cfg.Events {
		ofAPI = append(ofAPI, "Events")
	}
	if len(ofAPI) > 0 && cfg.Store.Dir != "" {
		f.add("Store", "dir:"+cfg.Store.Dir, "kube, as there is no API server for "+strings.Join(ofAPI, " and ")+"; or leave that out")
	}
}

// validateWatch judges which processes are watched.
func (cfg Config) validateWatch(f *faults) {
	switch {
	case cfg.WatchProcesses:
		if err := processes.CheckNamespace(); err != nil {
			f.add("WatchProcesses", `"all"`, "a pid namespace that the pod's containers share: "+err.Error())
		}
	case len(cfg.WatchExcept) > 0:
		f.add("WatchExcept", strconv.Quote(strings.Join(cfg.WatchExcept, ",")), "processes to leave it out of, and none are watched: watch all, or leave it out")
	}
}

// faults gathers the faults of a Config.
type faults struct{ list *multierror.Error }

func (f *faults) add(name, value, want string) {
	f.list = multierror.Append(f.list, &field.Error{Field: name, Value: value, Want: want})
}

// nested takes the faults of a nested configuration.
func (f *faults) nested(prefix string, err error) {
	var several *multierror.Error
	if !errors.As(err, &several) {
		several = multierror.Append(several, err)
	}
	for _, single := range several.Errors {
		if one, ok := errors.AsType[*field.Error](single); ok {
			single = &field.Error{Field: prefix + one.Field, Value: one.Value, Want: one.Want}
		}
		f.list = multierror.Append(f.list, single)
	}
}

func (f *faults) address(name, text string) {
	if text == "" {
		return
	}
	if _, err := address.Parse(text); err != nil {
		if one, ok := errors.AsType[*field.Error](err); ok {
			f.add(name, one.Value, one.Want)
			return
		}
		f.add(name, strconv.Quote(text), err.Error())
	}
}
