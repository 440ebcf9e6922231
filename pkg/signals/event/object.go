package event

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/apiserver"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// component is the source that the Events name.
const component = "lease-sidecar"

// reference identifies the Lease.
type reference struct {
	Kind            string `json:"kind"`
	APIVersion      string `json:"apiVersion"`
	Namespace       string `json:"namespace"`
	Name            string `json:"name"`
	UID             string `json:"uid"`
	ResourceVersion string `json:"resourceVersion,omitempty"`
}

// object is an Event of the core API, with the fields that client-go's recorder sets.
type object struct {
	Kind       string `json:"kind"`
	APIVersion string `json:"apiVersion"`
	Metadata   struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`
	InvolvedObject reference `json:"involvedObject"`
	Reason         string    `json:"reason"`
	Message        string    `json:"message"`
	Source         struct {
		Component string `json:"component"`
		Host      string `json:"host,omitempty"`
	} `json:"source"`
	FirstTimestamp     time.Time `json:"firstTimestamp"`
	LastTimestamp      time.Time `json:"lastTimestamp"`
	Count              int       `json:"count"`
	Type               string    `json:"type"`
	ReportingComponent string    `json:"reportingComponent"`
}

// find reads the Lease's UID: kubectl describe selects Events by UID, and a recreated Lease has a new one.
func (s *Signal) find(ctx context.Context, l leadership.Leadership) (reference, error) {
	answer, err := s.cfg.API.Send(ctx, http.MethodGet,
		"/apis/coordination.k8s.io/v1/namespaces/"+l.Namespace+"/leases/"+l.Lease, nil)
	var found struct{ Metadata reference }
	if err == nil {
		err = json.Unmarshal(answer, &found)
	}
	if err != nil {
		return reference{}, fmt.Errorf("read the Lease for an Event: %w", err)
	}
	r := found.Metadata
	r.Kind, r.APIVersion, r.Namespace, r.Name = "Lease", "coordination.k8s.io/v1", l.Namespace, l.Lease
	return r, nil
}

type text struct{ kind, reason, message string }

// object makes the Event. Like client-go, it names it by the Lease and the time in hexadecimal nanoseconds.
func (s *Signal) object(lease reference, wall time.Time, t text) object {
	o := object{
		Kind: "Event", APIVersion: "v1", InvolvedObject: lease, Reason: t.reason, Message: t.message, Count: 1,
		Type: t.kind, ReportingComponent: component,
	}
	at := wall.UTC().Truncate(time.Second) // the field holds whole seconds
	o.FirstTimestamp, o.LastTimestamp = at, at
	o.Metadata.Name = fmt.Sprintf("%s.%x", lease.Name, wall.UnixNano())
	o.Metadata.Namespace = lease.Namespace
	o.Source.Component, o.Source.Host = component, s.cfg.Host
	return o
}

// post records an Event. One that is there already is ours, from an attempt whose answer was lost: the name has the nanosecond.
func (s *Signal) post(ctx context.Context, o object) error {
	body, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("print the Event: %w", err)
	}
	_, err = s.cfg.API.Send(ctx, http.MethodPost, "/api/v1/namespaces/"+o.Metadata.Namespace+"/events", body)
	if err != nil && apiserver.Status(err) != http.StatusConflict {
		return fmt.Errorf(`record an Event (it needs this rule in the Role of the pod's ServiceAccount: `+
			`{apiGroups: [""], resources: ["events"], verbs: ["create"]}): %w`, err)
	}
	return nil
}
