package control

import (
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// Election is what is asked and ordered here. Its methods may be called from several goroutines at once.
type Election interface {
	// Leadership returns what is known now.
	Leadership() leadership.Leadership
	// StepDown asks for a handover and returns at once; [elector.ErrNotLeading] on a standby.
	StepDown(cause string) error
	// Ready reports whether the Lease, or its absence, has been read once.
	Ready() bool
	// Beat returns when the election's loop last turned; zero before the first time.
	Beat() bootclock.Instant
}

var _ Election = (*elector.Elector)(nil)
