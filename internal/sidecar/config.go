//go:build linux

package sidecar

import (
	"log/slog"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"

	"github.com/lease-sidecar/lease-sidecar/internal/health"
	"github.com/lease-sidecar/lease-sidecar/internal/httpapi"
	"github.com/lease-sidecar/lease-sidecar/internal/membership"
	"github.com/lease-sidecar/lease-sidecar/internal/podid"
	"github.com/lease-sidecar/lease-sidecar/pkg/apiserver"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/dir"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/podlabel"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/process"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals/webhook"
)

// Config configures a sidecar. [Sidecar.Run] sets the clocks and logs of the nested configurations.
type Config struct {
	// Election says what to campaign for, with which timings. Run sets its Identity.
	Election elector.Config
	// Replica identifies this replica.
	Replica Replica
	// Pod is the pod that HTTP answers name. Its fields may be empty outside Kubernetes.
	Pod podid.Pod
	// Node is the node's name for logs and Events; "" if unknown.
	Node string
	// Version is the program's version, for logs and metrics.
	Version string
	// Log takes all log records.
	Log *slog.Logger

	// Store is where the Lease is.
	Store Store

	// SignalDir is the directory shared with the workload. "" means no files, no run lock and no resumed terms.
	SignalDir string
	// HTTPAddress and ProbeAddress are the addresses to listen on: HOST:PORT, for HTTPAddress also unix:PATH; "" for none.
	HTTPAddress, ProbeAddress string
	// DebugAddress is the address for profiles of this process: a loopback HOST:PORT or unix:PATH; "" for none.
	DebugAddress string
	// Compat is the sidecar whose HTTP answers are imitated.
	Compat httpapi.Compat
	// AllowStepDown lets any container of the pod ask for a handover.
	AllowStepDown bool
	// StopTimeout bounds how long a planned handover waits for a workload that is seen running, at least 1 s.
	StopTimeout time.Duration
	// DrainTimeout is the time in which the workload stops by the operator's promise; 0: no promise.
	DrainTimeout time.Duration

	// Health says how to check the workload. If [health.Config.On] is false, it is not checked.
	Health health.Config
	// HealthProvesStop makes the end of the health endpoint count as the workload's end.
	HealthProvesStop bool
	// Command is a program with its arguments that runs only while this replica leads, or nil.
	Command []string
	// ExitWithCommand ends the sidecar with the command, and with its status.
	ExitWithCommand bool
	// Process is the process that gets process signals. Its Target is empty for none.
	Process process.Config
	// Label is the label of the leader's pod, or nil. It needs Pod's name and UID.
	Label *podlabel.Label
	// Webhook says where to send each transition, or is nil.
	Webhook *webhook.Config
	// Events records Events on the Lease.
	Events bool
	// Membership says how the replicas know one another: the revision, the timings and the sweep. Nil: they do not.
	Membership *membership.Config

	// WatchProcesses makes the end of the pod's other processes, except those in WatchExcept, count as the workload's end.
	WatchProcesses bool
	WatchExcept    []string
	// WatchPod makes the end of the pod's other containers, by the pod's status, count as the workload's end. It needs Pod's
	// name and UID, and the sidecar's own container name in OwnContainer.
	WatchPod     bool
	OwnContainer string
}

// Replica identifies a replica.
type Replica struct {
	// Name is the name for people, such as the pod's.
	Name string
	// PodUID is the pod's UID; "" outside a pod.
	PodUID string
}

// Identity returns the replica's identity: the pod's own if alone says that no other process has it, else a new random one.
// It fails on a name that an identity cannot hold.
func (r Replica) Identity(alone bool) (naming.Identity, error) {
	if alone && r.PodUID != "" {
		return naming.NewIdentity(r.Name, r.PodUID)
	}
	return naming.RandomIdentity(r.Name)
}

// Store says where the Lease is: in a directory or behind an API server.
type Store struct {
	// Dir is the directory; "" for none.
	Dir string
	// REST is the API server and the credentials.
	REST *rest.Config
}

// Name names the place, such as "kube:https://10.0.0.1" or "dir:/var/lib/leases". A hold file of another store is not trusted.
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

// openMembers returns the identity Leases of an election's members, over a connection of their own. It makes no request.
func (s Store) openMembers(namespace, election string, log *slog.Logger) (lease.Members, error) {
	if s.Dir != "" {
		return dir.NewMembers(s.Dir, namespace, election, log)
	}
	api, err := kube.NewClient(s.REST, log)
	if err != nil {
		return nil, err
	}
	return api.Members(namespace, election), nil
}

// open returns the Store of one Lease, and the client for the rest of the API; nil for a directory. It makes no request.
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
