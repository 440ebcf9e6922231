package httpapi

import (
	"context"

	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// Election is what is asked and ordered here. Its methods may be called from several goroutines at once.
type Election interface {
	// Leadership returns what is known now.
	Leadership() leadership.Leadership
	// StepDown asks for a handover and returns once the order is taken; [elector.ErrNotLeading] on a standby,
	// [elector.ErrDraining] where a handover is under way.
	StepDown(cause string) error
	// Ready returns nil when the Lease has been read once and nothing would keep this replica from leading; else why not.
	Ready() error
	// Alive returns nil once the election's loop has turned, and an error when ctx ends first.
	Alive(ctx context.Context) error
}

var _ Election = (*elector.Elector)(nil)
