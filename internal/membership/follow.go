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
	// listTimeout bounds a list: of 5,000 members it takes 20 requests.
	listTimeout = 15 * time.Second
	// quiet is how long a watch may be silent where this replica cannot write its own Lease, which else proves that it is not
	// dead. An API server sends a bookmark about once a minute.
	quiet = 90 * time.Second
)

var (
	// errSilent ends a watch that has not shown even this replica's own renewals.
	errSilent = errors.New("the watch has gone silent")
	// errRestored ends a watch whose versions have fallen: the store was put back.
	errRestored = errors.New("the store's versions have fallen: it was restored")
)

// follower keeps the roster up to date: by one list, and one watch from there on.
type follower struct {
	cfg    Config
	deps   Deps
	budget *budget
	roster *Roster
	beat   *beat
	note   func(verb string, err error)

	trouble  trouble.Last
	overflow trouble.Last
}

func (f *follower) run(ctx context.Context) {
	wait := backoff{most: maxBackoff, rand: f.deps.Rand}
	listed := false
	for ctx.Err() == nil {
		last, from := f.roster.heard()
		// What was missed for so long is no proof of life: the events would come late, and look new.
		if listed && f.deps.Clock.Now().Sub(last) > f.cfg.Duration/2 {
			listed = false
		}
		err := f.budget.take(ctx)
		if err == nil && !listed {
			from, err = f.list(ctx)
			listed = err == nil
			f.note("list", err)
		}
		stood := f.deps.Clock.Now()
		if err == nil {
			err = f.watch(ctx, from)
			if ctx.Err() == nil {
				f.note("watch", err)
			}
		}
		f.roster.stand(false)
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, lease.ErrExpired) || errors.Is(err, errRestored) {
			listed, err = false, nil
		}
		f.report(err)
		if f.deps.Clock.Now().Sub(stood) > maxBackoff {
			wait.reset()
		}
		if bootclock.Sleep(ctx, f.deps.Clock, wait.pause()) != nil {
			return
		}
	}
}

func (f *follower) list(ctx context.Context) (lease.Version, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	list := f.roster.list()
	version, err := f.deps.Members.List(ctx, list.add)
	if err == nil {
		list.done(version)
		f.reportOverflow()
	}
	return version, err
}

// watch follows the changes until ctx ends, or the watch breaks or goes silent.
func (f *follower) watch(ctx context.Context, from lease.Version) error {
	ctx, end := context.WithCancelCause(ctx)
	heard := make(chan struct{}, 1)
	done := make(chan struct{})
	defer func() { end(nil); <-done }()
	go func() {
		defer close(done)
		f.guard(ctx, heard, end)
	}()
	err := f.deps.Members.Watch(ctx, from, func() {
		f.roster.stand(true)
		f.report(nil)
	}, func(e lease.MemberEvent) {
		if !f.roster.apply(e) {
			end(errRestored)
			return
		}
		f.beat.noticed(e)
		select {
		case heard <- struct{}{}:
		default:
		}
	})
	if cause := context.Cause(ctx); errors.Is(cause, errSilent) || errors.Is(cause, errRestored) {
		return cause
	}
	return err
}

// guard ends a watch that nothing is heard of for too long.
func (f *follower) guard(ctx context.Context, heard <-chan struct{}, end context.CancelCauseFunc) {
	timer := f.deps.Clock.NewTimer()
	defer timer.Stop()
	for last := f.deps.Clock.Now(); ; {
		limit := 2*f.cfg.RenewInterval + time.Second
		if !f.beat.well() {
			limit = max(limit, quiet)
		}
		if bootclock.Await(ctx, timer, last.Add(limit), heard, nil) != nil {
			return
		}
		now := f.deps.Clock.Now()
		if !now.Before(last.Add(limit)) {
			end(errSilent)
			return
		}
		last = now
	}
}

// report logs how a list or a watch ended, when that changes.
func (f *follower) report(err error) {
	switch {
	case !f.trouble.Changed(err):
	case err != nil:
		f.deps.Log.Warn("members cannot be followed: what is known of them grows old, the election goes on",
			"reason", "MembersNotFollowed", "error", err)
	default:
		f.deps.Log.Info("following the members", "reason", "FollowingMembers")
	}
}

// reportOverflow logs, when that changes, that there are more members than are kept, or Leases that are no members'.
func (f *follower) reportOverflow() {
	dropped, ignored := f.roster.overflow()
	var err error
	switch {
	case dropped > 0:
		err = errors.New("more members than are kept")
	case ignored > 0:
		err = errStranger
	}
	if f.overflow.Changed(err) && err != nil {
		f.deps.Log.Warn("Leases with the label of this election's members are left out", "reason", "MembersLeftOut",
			"not_kept", dropped, "not_members", ignored, "most", f.cfg.Most, "error", err)
	}
}
