//go:build linux

package process

import (
	"log/slog"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
)

// armer is another process that acts at a deadline which nobody has moved. Calls do not overlap, and return within a second.
type armer interface {
	// Arm replaces the order that it has; the zero order takes that back.
	Arm(procfs.Order) error
	// Close ends it.
	Close() error
}

// restartingGuard is a guard process from the first order on. It starts another one where the guard has ended.
type restartingGuard struct {
	log   *slog.Logger
	guard *guard.Guard // nil before the first order
}

var _ armer = (*restartingGuard)(nil)

// Arm gives the order to the guard process.
func (r *restartingGuard) Arm(order procfs.Order) (err error) {
	if order.PID == 0 {
		if r.guard != nil {
			_ = r.guard.Disarm() // an error means that it has ended
		}
		return nil
	}
	if r.guard != nil {
		if r.guard.Arm(order) == nil {
			return nil
		}
		r.log.Warn("the guard process has ended: starting another", "reason", "GuardEnded")
		_ = r.guard.Close() // it has ended
	}
	if r.guard, err = guard.Start(guard.Config{}); err != nil {
		return err
	}
	return r.guard.Arm(order)
}

// Close ends the guard process.
func (r *restartingGuard) Close() error {
	if r.guard == nil {
		return nil
	}
	return r.guard.Close()
}
