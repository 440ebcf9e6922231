//go:build linux

package process

import (
	"log/slog"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
)

// armer acts in another process at a deadline, unless a new order comes first. Calls do not overlap and take at most 1 s.
type armer interface {
	// Arm replaces the current order. The zero order withdraws it.
	Arm(procfs.Order) error
	// Close ends it.
	Close() error
}

// restartingGuard starts a guard process at the first order, and another one when that has ended.
type restartingGuard struct {
	log   *slog.Logger
	guard *guard.Guard // nil before the first order
}

var _ armer = (*restartingGuard)(nil)

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

func (r *restartingGuard) Close() error {
	if r.guard == nil {
		return nil
	}
	return r.guard.Close()
}
