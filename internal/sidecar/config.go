//go:build linux

package sidecar

import (
	"log/slog"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"

	"github.com/lease-sidecar/lease-sidecar/internal/health"
	"github.com/lease-sidecar/lease-sidecar/internal/httpapi"
	"github.com/lease-sidecar/lease-sidecar/internal/podid"
	"github.com/lease-sidecar/lease-sidecar/pkg/apiserver"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/dir"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/podlabel"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/process"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/webhook"
)

// Config says what a sidecar does. Clocks and logs of the nested configurations are set by [Sidecar.Run].
type Config struct {
	// Election says what to campaign for, and on which timings. Run sets its Identity.
	Election elector.Config
	// Replica is who this replica is.
	Replica Replica
	// Pod is the pod that the HTTP API names in its answers; its fields may be empty outside Kubernetes.
	Pod podid.Pod
	// Node is the node's name, for logs and Events; "" where it is not known.
	Node string
	// Version is the program's, for logs and metrics.
	Version string
	// Log takes everything that is logged.
	Log *slog.Logger

	// Store is where the Lease is.
	Store Store

	// SignalDir is the directory shared with the workload; "" for no files, no run lock and no resumed terms.
	SignalDir string
	// HTTPAddress and ProbeAddress are where to listen: HOST:PORT, for HTTPAddress also unix:PATH; "" for nowhere.
	HTTPAddress, ProbeAddress string
	// Compat is whose answers the HTTP API gives.
	Compat httpapi.Compat
	// AllowStepDown lets any container of the pod ask for a handover.
	AllowStepDown bool
	// StopTimeout bounds how long a planned handover waits for a workload that is seen to run, at least 1 s.
	StopTimeout time.Duration
	// DrainTimeout is the time in which the workload always stops by the operator's promise; 0: there is no promise.
	DrainTimeout time.Duration

	// Health says how to check the workload; [health.Config.On] is false where it is not checked.
	Health health.Config
	// HealthProvesStop lets the end of the health endpoint count as the workload's end.
	HealthProvesStop bool
	// Command is the program, with its arguments, that runs only while this replica leads; nil for none.
	Command []string
	// ExitWithCommand ends the sidecar when the command ends, with the command's status.
	ExitWithCommand bool
	// Process is the process that gets process signals; its Target is empty where there is none.
	Process process.Config
	// Label is the label that the leader's pod has; nil for none. It needs Pod's name and UID.
	Label *podlabel.Label
	// Webhook is where each transition is sent; nil for nowhere.
	Webhook *webhook.Config
	// Events has Events recorded on the Lease.
	Events bool

	// WatchProcesses counts the end of the pod's other processes as the workload's end, but for programs of the names in
	// WatchExcept.
	WatchProcesses bool
	WatchExcept    []string
	// WatchPod counts the end of the pod's other containers, by its status, as the workload's end. It needs Pod's name and UID, and
	// the name of the sidecar's own container in OwnContainer.
	WatchPod     bool
	OwnContainer string
}

// Store is where the Lease is: in a directory, or else behind an API server.
type Store struct {
	// Dir is the directory; "" for none.
	Dir string
	// REST is the API server and the credentials.
	REST *rest.Config
}

// Name says where that is, such as "kube:https://10.0.0.1" or "dir:/var/lib/leases". A hold file of another store is not believed.
func (s Store) Name() string {
	switch {
	case s.REST != nil:
		return "kube:" + s.REST.Host
	case s.Dir == "":
		return ""
	}
	path, err := filepath.Abs(s.Dir)
	if err != nil {
		path = s.Dir
	}
	return "dir:" + path
}

// open returns the Store of one Lease, and the way to the rest of the API; nil where the store is a directory. It contacts nobody.
func (s Store) open(namespace, name string, log *slog.Logger) (lease.Store, apiserver.Client, error) {
	if s.Dir != "" {
		store, err := dir.New(s.Dir, namespace, name, log)
		return store, nil, err
	}
	kube.RouteClientLogs(log)
	api, err := kube.NewClient(s.REST, log)
	if err != nil {
		return nil, nil, err
	}
	return api.Lease(namespace, name), api, nil
}
