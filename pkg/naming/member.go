package naming

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// Keys on a member's identity Lease.
const (
	// LabelMemberOf names the election's Lease that the member campaigns for. Election Leases do not have it.
	LabelMemberOf = "lease-sidecar.dev/member-of"
	// LabelPod and LabelPodUID name the member's pod.
	LabelPod    = "lease-sidecar.dev/pod"
	LabelPodUID = "lease-sidecar.dev/pod-uid"
	// LabelNode names the member's node, by the key that kubelets and API servers use.
	LabelNode = "kubernetes.io/hostname"
	// LabelRevision is the workload's revision that the pod belongs to: its pod-template-hash or controller-revision-hash.
	LabelRevision = "lease-sidecar.dev/revision"
	// LabelHealth is "healthy", "unhealthy" or "leaving".
	LabelHealth = "lease-sidecar.dev/health"
	// LabelPriority is the member's priority, a decimal number.
	LabelPriority = "lease-sidecar.dev/priority"
	// LabelVersion is the version of the member's sidecar.
	LabelVersion = "lease-sidecar.dev/version"
	// AnnotationJoined is the resourceVersion of the first write of this holder. It orders members without a clock.
	AnnotationJoined = "lease-sidecar.dev/joined"
)

// Keys on an election's Lease by which members hand over to one another.
const (
	// AnnotationSuccessor names the member that should take a released Lease first; see package lease.
	AnnotationSuccessor = "lease-sidecar.dev/successor"
	// AnnotationPreferredHolder is a pod's name: somebody asks for a handover to that pod.
	AnnotationPreferredHolder = "lease-sidecar.dev/preferred-holder"
	// AnnotationPreferredHolderAnswer says what came of that: "<pod>: <answer>".
	AnnotationPreferredHolderAnswer = "lease-sidecar.dev/preferred-holder-answer"
)

// memberHashBytes is how much of SHA-256 a member's name has: 128 bits, as the identity Leases of API servers have.
const memberHashBytes = 16

// MemberHashLength is how many characters those bytes have in base32.
const MemberHashLength = 26

// MemberLeaseName returns the name of the identity Lease of a pod: "<lease>-<hash>", with the first 128 bits of SHA-256 of the
// pod's name in lower-case base32 (26 characters). The election's name is also a label's value there, so one of more than 63
// characters is refused with a [*field.Error] of LeaseName.
func MemberLeaseName(election LeaseName, pod string) (LeaseName, error) {
	if len(election) > labelMax {
		return "", fault("LeaseName", string(election), "at most 63 characters with membership, as it is a label's value there")
	}
	sum := sha256.Sum256([]byte(pod))
	hash := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:memberHashBytes])
	return election + "-" + LeaseName(strings.ToLower(hash)), nil
}
