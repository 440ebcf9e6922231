package naming

import (
	"fmt"
	"strings"

	"github.com/lease-sidecar/lease-sidecar/pkg/field"
)

// Workload names what the replicas are replicas of, such as deployment/web.
type Workload struct {
	// Kind is the Kubernetes kind in lower case, singular: "deployment".
	Kind string
	// Name is the object's name, a DNS-1123 subdomain.
	Name string
}

// Kinds that [Derive] can prove.
const (
	kindDeployment  = "deployment"
	kindStatefulSet = "statefulset"
	kindDaemonSet   = "daemonset"
	kindJob         = "job"
)

// spellings maps kubectl's other spellings to the kind. Accepting them would hash one workload to several Lease names.
var spellings = map[string]string{
	"deploy": kindDeployment, "deployments": kindDeployment,
	"sts": kindStatefulSet, "statefulsets": kindStatefulSet,
	"ds": kindDaemonSet, "daemonsets": kindDaemonSet,
	"jobs": kindJob,
	"cj":   "cronjob", "cronjobs": "cronjob",
	"rs": "replicaset", "replicasets": "replicaset",
	"rc": "replicationcontroller", "replicationcontrollers": "replicationcontroller",
	"po": "pod", "pods": "pod",
	"rollouts": "rollout",
}

// ParseWorkload reads "kind/name". It folds the kind's case, and refuses plurals and kubectl's short names with the spelling
// to use. Its error has a [*field.Error] of each fault: see [field.Faults].
func ParseWorkload(s string) (Workload, error) {
	kind, name, ok := strings.Cut(s, "/")
	if !ok {
		return Workload{}, fault("Workload", s, "KIND/NAME, such as deployment/web")
	}
	w := Workload{Kind: strings.ToLower(kind), Name: name}
	if err := w.validate(); err != nil {
		return Workload{}, err
	}
	return w, nil
}

// String returns "kind/name", the text that the Lease name is hashed from and the Lease's annotation carries.
func (w Workload) String() string { return w.Kind + "/" + w.Name }

func (w Workload) validate() error {
	var faults field.Faults
	switch spelling, aliased := spellings[w.Kind]; {
	case aliased:
		faults.Add(fault("Workload", w.String(), fmt.Sprintf("the kind %q in place of %q", spelling, w.Kind)))
	case !isKind(w.Kind):
		faults.Add(fault("Workload", w.String(), "a Kubernetes kind before the slash, of letters and digits only, such as deployment"))
	}
	if want := wantSubdomain(w.Name); want != "" {
		faults.Add(fault("Workload", w.String(), "a name after the slash, of "+want))
	}
	return faults.Err()
}

// isKind reports whether s could be a lower-cased kind: a letter, then letters and digits, at most 63.
func isKind(s string) bool {
	if s == "" || len(s) > labelMax || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}
