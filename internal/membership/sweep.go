package membership

import (
	"context"
	"errors"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/trouble"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

const (
	// sweepPause is the least time between two deletions: 30 a minute.
	sweepPause = 2 * time.Second
	// sweepLook is how often a replica looks whether it leads and something is due.
	sweepLook = 15 * time.Second
	// sweepTimeout bounds one deletion.
	sweepTimeout = 5 * time.Second
	// sweepAgain is how long after a failed deletion the same Lease is tried again. The others come first.
	sweepAgain = 5 * time.Minute
)

// sweeper deletes the Leases of members that expired or left long ago, while this replica leads.
type sweeper struct {
	deps   Deps
	budget *budget
	roster *Roster
	leads  func() bool
	note   func(verb string, err error)

	trouble trouble.Last
}

func (s *sweeper) run(ctx context.Context) {
	wait := backoff{most: maxBackoff, rand: s.deps.Rand}
	for {
		pause := sweepLook
		due, ok, _ := s.roster.expired()
		if ok && s.leads() {
			err := s.delete(ctx, due)
			if ctx.Err() != nil {
				return
			}
			s.report(err)
			if pause = sweepPause; err != nil {
				pause = max(wait.pause(), sweepPause)
			} else {
				wait.reset()
			}
		}
		if bootclock.Sleep(ctx, s.deps.Clock, pause) != nil {
			return
		}
	}
}

// delete deletes a member's Lease as it was seen. A member that comes back in the same instant has written to it, and stays.
func (s *sweeper) delete(ctx context.Context, m lease.Member) error {
	if err := s.budget.take(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	err := s.deps.Members.Delete(ctx, m)
	s.note("sweep", err)
	switch {
	case err == nil:
		s.deps.Log.Info("the Lease of a member that is long gone is deleted", "reason", "MemberSwept", "member_lease", m.Name)
		s.roster.forget(m)
	case errors.Is(err, lease.ErrNotFound):
		s.roster.forget(m)
		err = nil
	case errors.Is(err, lease.ErrConflict):
		s.roster.spare(m)
		err = nil // it has changed: the watch shows how
	default:
		s.roster.spare(m)
	}
	return err
}

func (s *sweeper) report(err error) {
	if s.trouble.Changed(err) && err != nil {
		s.deps.Log.Warn("the Leases of members that are long gone cannot be deleted", "reason", "MemberSweepFailed", "error", err)
	}
}
