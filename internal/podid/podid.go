// Package podid says whose sidecar answers: with hostNetwork the pods of a node share their ports, so a client may reach the
// sidecar of another pod. The sidecar names its pod in a header of each answer, and the client compares.
//
// It promises that an answer of another pod is never taken for one of this pod, as far as either side knows its pod. Where a
// client knows nothing of its pod, it accepts every answer.
package podid

import (
	"cmp"
	"slices"
	"strings"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// Header is the response header in which a sidecar names its pod, as [Pod.String] prints it.
const Header = "Lease-Sidecar-Pod"

// Pod is a pod as the downward API describes it to its containers; what is unknown is "".
type Pod struct {
	// Namespace, Name and UID are metadata.namespace, metadata.name and metadata.uid.
	Namespace, Name, UID string
}

// Parse reads what [Pod.String] prints. Anything else is the zero Pod.
func Parse(s string) Pod {
	parts := strings.Split(s, "/")
	if len(parts) != 3 {
		return Pod{}
	}
	return Pod{Namespace: parts[0], Name: parts[1], UID: parts[2]}
}

// String returns "NAMESPACE/NAME/UID", the header's value.
func (p Pod) String() string { return p.Namespace + "/" + p.Name + "/" + p.UID }

// IsZero reports whether nothing is known of the pod.
func (p Pod) IsZero() bool { return p == Pod{} }

// Describe names the pod to a person, without what is unknown.
func (p Pod) Describe() string {
	known := slices.DeleteFunc([]string{p.Namespace, p.Name, p.UID}, func(part string) bool { return part == "" })
	return strings.Join(known, "/")
}

// Sent reports whether an answer is of this pod's sidecar. From is what the answer's header says, and l the leadership in it:
// the identity and the namespace stand in for what the header does not say. The UID decides where both sides know it; else the
// name with the namespace does.
func (p Pod) Sent(from Pod, l leadership.Leadership) bool {
	identity := naming.Identity(l.Identity)
	switch uid := strings.TrimPrefix(l.Identity, identity.Name()+"_"); {
	case p.UID == "" && p.Name == "":
		return true
	case p.UID != "" && from.UID != "":
		return strings.EqualFold(p.UID, from.UID)
	case p.UID != "" && strings.EqualFold(p.UID, uid):
		return true
	}
	return p.Name != "" && p.Name == cmp.Or(from.Name, identity.Name()) &&
		(p.Namespace == "" || p.Namespace == cmp.Or(from.Namespace, l.Namespace))
}
