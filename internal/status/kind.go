package status

import (
	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// Kind is what a Lease is for.
type Kind string

// The kinds of Leases.
const (
	// Sidecar is an election of this project.
	Sidecar Kind = "lease-sidecar"
	// ClientGo is an election by client-go's elector, such as that of kube-scheduler.
	ClientGo Kind = "client-go"
	// MemberOf is the identity Lease of a member of an election.
	MemberOf Kind = "member"
	// Node is the heartbeat of a kubelet.
	Node Kind = "node"
	// APIServer is the identity Lease of an API server.
	APIServer Kind = "apiserver"
	// Other is any other Lease.
	Other Kind = "other"
)

// Where Kubernetes keeps Leases of its own.
const (
	NodeNamespace      = "kube-node-lease"
	APIServerNamespace = "kube-system"
	// LabelAPIServer is the label of an API server's identity Lease; its value is the server's kind, such as kube-apiserver.
	LabelAPIServer = "apiserver.kubernetes.io/identity"
)

// KindOf returns what a Lease is for. An elector of client-go writes when the term began and how many there were; a heartbeat has
// neither.
func KindOf(o *coordinationv1.Lease) Kind {
	switch {
	case o.Labels[naming.LabelMemberOf] != "" && o.Labels[naming.LabelElection] == "": // replicas take one with both for no member's
		return MemberOf
	case o.Labels[naming.LabelElection] == "true", o.Annotations[naming.AnnotationWorkload] != "", o.Annotations[naming.AnnotationFencedBy] != "":
		return Sidecar
	case o.Namespace == NodeNamespace:
		return Node
	case o.Labels[LabelAPIServer] != "":
		return APIServer
	case o.Spec.LeaseTransitions != nil || o.Spec.AcquireTime != nil:
		return ClientGo
	}
	return Other
}
