// Package podlabel is the signal by a label on the pods: the leader's pod bears it, so that a Service that selects the
// label routes to the leader.
//
// It promises that a leader takes the label from other pods of its election before it puts it on its own, that a
// standby takes off its own, and that what goes wrong is set right: at errors, and by a look at the pods that the leader
// repeats, at each 64 s in the end. Standbys ask the API server for nothing but that. It touches the pod with its own
// UID and those whose annotation names its own Lease; a pod that bears the key with another value it refuses to touch.
//
// It does not promise that no two pods bear the label at one instant: a leader that is cut off from the API server
// keeps it until the next one leads. Nor is it quick enough to fence anything: kube-proxy learns of it later still. It
// never holds up a handover for longer than its caller waits, and that is told by [Signal.Apply]'s context.
//
//	level ── leading ──▶ LIST pods with the label ──▶ off the others of this Lease ──▶ on our own, with the mark
//	     └── not ──────▶ off our own
//
// The mark is an annotation with the label's own key: the Lease and the term's token. By it two workloads in one
// namespace can use one label, and two elections of one pod two labels.
package podlabel
