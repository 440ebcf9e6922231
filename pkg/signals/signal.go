// Package signals makes the leadership known to the workload. A [Signal] is one way of doing so; [FanOut] drives all of
// them from the newest [leadership.Leadership]. Each signal has a package below this one.
//
// It promises that a new leadership reaches every signal at once and in parallel, the local ones before the remote ones;
// that a signal which hangs, fails or panics holds up neither the others nor the election; that a failed signal is tried
// again with the newest leadership; and that a term which nobody renewed or ended is dropped at its validUntil. It does
// not promise that a signal shows every leadership: a slow signal skips to the newest.
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

// Signal is one way of making the leadership known to the workload, or to others.
type Signal interface {
	// Name is a short constant for logs and metrics, such as "file".
	Name() string
	// Apply makes the leadership known, and returns once it is. It judges l by its own clock ([leadership.Leadership.At])
	// before it says that this replica leads. It must return soon after ctx ends, which it does when a leadership of
	// another term has come. Calls of one signal never overlap; l may be the same as in the last call.
	Apply(ctx context.Context, l leadership.Leadership) error
}

// Output is a signal and its place in the fan-out.
type Output struct {
	// Signal is what is applied.
	Signal Signal
	// Wait says how far a handover waits for the signal; the zero value is [Required].
	Wait Wait
	// Remote marks a signal that uses the network. It takes up each leadership after every output that is not remote has
	// tried it, or 100 ms later: no network call comes before the local signals.
	Remote bool
}

// Wait says how far [FanOut.WaitApplied] waits for one output.
type Wait struct {
	optional bool
	bound    time.Duration
}

// Required is the policy to wait until the signal is applied.
func Required() Wait { return Wait{} }

// BestEffort is the policy to wait until the signal was tried once, well or not, and no longer than bound. It is for a
// signal that is worth a moment, and whose failure holds up nobody.
func BestEffort(bound time.Duration) Wait { return Wait{optional: true, bound: bound} }

// NoWait is the policy not to wait for the signal.
func NoWait() Wait { return Wait{optional: true} }

// Observer is notified of every attempt at a signal. Its methods may be called from several goroutines at once.
type Observer interface {
	// Applied reports an attempt: its signal's name, the time since the fact became known
	// ([leadership.Leadership.Observed]; 0 where that is unknown), and how it ended.
	Applied(signal string, latency time.Duration, err error)
}
