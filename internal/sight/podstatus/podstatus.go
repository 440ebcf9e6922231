// Package podstatus sees that the workload has stopped by its own pod's status, which the kubelet writes to the API server:
// the pod is being deleted, and every other container has terminated.
//
// It sees what the kubelet reports, which is late by a status update and a request. It says Unknown for a pod that is not
// being deleted, and while the API server does not answer. It counts main containers and native sidecars except its own;
// ordinary init containers have ended before, and ephemeral ones are not the workload.
package podstatus

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/internal/trouble"
	"github.com/lease-sidecar/lease-sidecar/pkg/apiserver"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/field"
)

const (
	// firstPause and longestPause bound the pause between requests while a handover waits.
	firstPause   = 250 * time.Millisecond
	longestPause = time.Second
	// attempt bounds one request.
	attempt = 2 * time.Second
)

// Config names the pod, and the container that is not the workload. Every field is required.
type Config struct {
	// API is the client for the API server.
	API apiserver.Client
	// Namespace, Pod and UID name the pod. The status of another pod with this name does not count.
	Namespace, Pod, UID string
	// Container is the sidecar's own.
	Container string
	// Clock times the requests.
	Clock bootclock.Clock
	// Log records what cannot be seen (Warn, when it changes).
	Log *slog.Logger
}

// PodStatus sees the workload by the pod's status. It is safe for concurrent use.
type PodStatus struct {
	cfg Config

	mu      sync.Mutex
	known   finding
	trouble trouble.Last
}

var _ sight.Sight = (*PodStatus)(nil)

// finding is the result of the last answer.
type finding int

const (
	nothing  finding = iota // no answer, or the pod is not being deleted
	ending                  // it is being deleted, and some container may run
	finished                // it is being deleted, and no container of the workload runs
)

// New returns the sight. It makes requests only during [PodStatus.Watch].
func New(cfg Config) *PodStatus { return &PodStatus{cfg: cfg} }

// Name returns "pod".
func (p *PodStatus) Name() string { return "pod" }

// Kills returns false: the kubelet kills after a grace period that this package does not know.
func (p *PodStatus) Kills() bool { return false }

// State returns the result of the last answer. A container that may run counts as Running only if the pod is ending.
func (p *PodStatus) State(podEnds bool) sight.State {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.known == finished:
		return sight.Stopped
	case p.known == ending && podEnds:
		return sight.Running
	}
	return sight.Unknown
}

// Watch asks for the pod's status until ctx ends, at pauses from 250 ms to 1 s, and calls changed when the result changes.
// After it, the result no longer counts.
func (p *PodStatus) Watch(ctx context.Context, changed func()) {
	defer p.find(nothing)
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		found, err := p.ask(ctx)
		if ctx.Err() != nil {
			return
		}
		p.report(err)
		if p.find(found) {
			changed()
		}
		if bootclock.Sleep(ctx, p.cfg.Clock, pause) != nil {
			return
		}
	}
}

// find records a finding, and reports whether it is new.
func (p *PodStatus) find(found finding) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := p.known != found
	p.known = found
	return changed
}

// report logs a trouble when it changes.
func (p *PodStatus) report(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.trouble.Changed(err) && err != nil {
		p.cfg.Log.Warn("the pod's status cannot be seen", "reason", "PodStatusUnseen", "error", err)
	}
}

func (p *PodStatus) ask(ctx context.Context) (finding, error) {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	path := "/api/v1/namespaces/" + url.PathEscape(p.cfg.Namespace) + "/pods/" + url.PathEscape(p.cfg.Pod)
	answer, err := p.cfg.API.Send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nothing, fmt.Errorf(`read pod %s: %w: want this rule in the Role of the pod's ServiceAccount: `+
			`{apiGroups: [""], resources: ["pods"], verbs: ["get"]}`, p.cfg.Pod, err)
	}
	return p.read(answer)
}

// status is the part of a pod that is read.
type status struct {
	Metadata struct {
		UID               string  `json:"uid"`
		DeletionTimestamp *string `json:"deletionTimestamp"`
	} `json:"metadata"`
	Spec struct {
		Containers     []container `json:"containers"`
		InitContainers []container `json:"initContainers"`
	} `json:"spec"`
	Status struct {
		ContainerStatuses     []containerStatus `json:"containerStatuses"`
		InitContainerStatuses []containerStatus `json:"initContainerStatuses"`
	} `json:"status"`
}

type container struct {
	Name          string `json:"name"`
	RestartPolicy string `json:"restartPolicy"` // Always for a native sidecar
}

type containerStatus struct {
	Name  string `json:"name"`
	State struct {
		Terminated *struct{} `json:"terminated"`
	} `json:"state"`
}

// read reads an answer. A container without a status may be running.
func (p *PodStatus) read(answer []byte) (finding, error) {
	var pod status
	if err := json.Unmarshal(answer, &pod); err != nil {
		return nothing, fmt.Errorf("read pod %s: %w", p.cfg.Pod, err)
	}
	if pod.Metadata.UID != p.cfg.UID {
		return nothing, fmt.Errorf("read pod %s: its UID is %q, and this one's is %q: it is a namesake", p.cfg.Pod, pod.Metadata.UID, p.cfg.UID)
	}
	terminated := map[string]bool{}
	for _, s := range append(pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses...) {
		terminated[s.Name] = s.State.Terminated != nil
	}
	containers := slices.DeleteFunc(pod.Spec.InitContainers, func(c container) bool { return c.RestartPolicy != "Always" })
	own, others, left := false, 0, false
	for _, c := range append(containers, pod.Spec.Containers...) {
		if c.Name == p.cfg.Container {
			own = true
			continue
		}
		others++
		left = left || !terminated[c.Name]
	}
	switch {
	case !own:
		return nothing, &field.Error{
			Field: "Container", Value: p.cfg.Container, Want: "the name of the sidecar's own container in pod " + p.cfg.Pod,
		}
	case pod.Metadata.DeletionTimestamp == nil:
		return nothing, nil
	case left || others == 0:
		return ending, nil
	}
	return finished, nil
}
