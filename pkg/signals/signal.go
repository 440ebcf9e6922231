// Package signals makes the leadership known to the workload. A [Signal] is one way to do so; each has a package below this
// one. [FanOut] drives all of them with the newest [leadership.Leadership].
//
// It promises that a new leadership reaches all signals in parallel, the local ones before the remote ones; that a signal
// which hangs, fails or panics delays neither the others nor the election; that a failed signal is retried with the newest
// leadership; and that a term which nobody renews ends at its validUntil. It does not promise that a signal shows every
// leadership: a slow one skips to the newest.
//
//	election ── Publish ──────▶ newest leadership ──┬──▶ lane ──▶ file
//	                            (one slot)          ├──▶ lane ──▶ process
//	                                                └──▶ lane ──▶ pod label (remote: after the local ones)
//	handover ◀── WaitApplied ── what each Output's wait policy asks for
package signals

import (
	"context"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// Signal is one way to make the leadership known to the workload, or to others.
type Signal interface {
	// Name is a short constant for logs and metrics, such as "file".
	Name() string
	// Apply makes the leadership known, and returns once it is. It must judge l by its own clock
	// ([leadership.Leadership.At]) before it shows that this replica leads, and return soon after ctx ends, which happens
	// when a leadership of another term comes. Calls of one signal never overlap; l may equal that of the last call.
	Apply(ctx context.Context, l leadership.Leadership) error
}

// Output is a signal and its place in the fan-out.
type Output struct {
	// Signal is what is applied.
	Signal Signal
	// Wait says how far a handover waits for the signal; the zero value is [Required].
	Wait Wait
	// Remote marks a signal that uses the network. It gets each leadership once every local output has tried it, or after
	// 100 ms, so that no network call delays a local signal.
	Remote bool
}

// Wait says how far [FanOut.WaitApplied] waits for one output.
type Wait struct {
	optional bool
	bound    time.Duration
}

// Required waits until the signal is applied.
func Required() Wait { return Wait{} }

// BestEffort waits until the signal was tried once, failed or not, but no longer than bound.
func BestEffort(bound time.Duration) Wait { return Wait{optional: true, bound: bound} }

// NoWait does not wait for the signal.
func NoWait() Wait { return Wait{optional: true} }

// Observer learns of every attempt at a signal. Its methods must be safe for concurrent use.
type Observer interface {
	// Applied reports an attempt: the signal's name, the time since the change became known
	// ([leadership.Leadership.Observed]; 0 if unknown), and the result.
	Applied(signal string, latency time.Duration, err error)
}
