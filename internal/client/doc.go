// Package client asks the sidecar of this pod over its HTTP address: for the commands of this program, and for the demo.
//
// It promises that what it returns is judged by the clock after the answer has come, where sidecar and caller share one, and
// that no answer of another pod's sidecar is accepted (package podid). It does not promise that a silent sidecar leads or
// does not: an error means that nothing is known.
package client
