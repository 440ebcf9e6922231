package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

const (
	// firstLook bounds the look for another workload's Lease before anything starts: the election looks again.
	firstLook = time.Second
	// lockAgain is the pause between attempts at the signal directory's lock.
	lockAgain = 200 * time.Millisecond
)

// campaign runs the sidecar until ctx, a stop signal or POST /quitquitquit ends it, and hands over then.
func (s settings) campaign(parent context.Context, log *slog.Logger) error {
	var candidate atomic.Pointer[sidecar]
	ctx, cancel := withSignals(parent, runStops(s.child.command != nil), func() {
		if c := candidate.Load(); c != nil {
			c.abandon()
		}
	})
	defer cancel()
	ctx, quit := context.WithCancelCause(ctx)
	defer quit(nil)

	store, err := s.store.open(s.election.Namespace, s.election.Lease, log)
	if err != nil {
		return fault{fmt.Errorf("--store: %w", err)}
	}
	if err := s.refuseCollision(ctx, store); err != nil {
		return err
	}
	hold, waited, err := s.lock(ctx, log)
	if err != nil || ctx.Err() != nil {
		return err
	}
	if hold != nil {
		defer hold.Close()
	}
	// Without the lock from the start there may be, or have just been, another process with the pod's own identity.
	identity, err := s.candidate.identity(hold != nil && !waited)
	if err != nil {
		return err
	}
	c, err := s.assemble(log, store, hold, identity, quit)
	if err != nil {
		return err
	}
	candidate.Store(c)
	log.Info("campaigning", "version", versionText(), "lease", s.election.Lease, "namespace", s.election.Namespace,
		"workload", s.election.Workload, "identity", identity)
	if c.file != nil {
		self := c.elector.Leadership()
		self.Token = s.resumable(hold, identity)
		stands, err := c.file.Adopt(self)
		if err != nil {
			log.Warn("the signal directory cannot be put right", "error", err)
		}
		// What the process before told stands until the Lease has been read: the election says nothing before that.
		if c.stands = stands.IsLeader; !c.stands {
			c.publish(c.elector.Leadership()) // a reader must find a document, also while there is a term to resume
		}
	}
	err = c.run(ctx)
	log.Info("ended", "cause", cmp.Or(context.Cause(ctx), c.cause, err))
	return errors.Join(err, c.close())
}

// resumable returns the token of the term that the process before has left in the hold file; "" where that is void, or its
// term is over.
func (s settings) resumable(hold *elector.Hold, identity naming.Identity) string {
	config, now := s.election, bootclock.System{}.Now()
	config.Identity = identity
	state, ok := hold.Load(config.HoldKey(), now, now.Add(config.RenewDeadline))
	if !ok || !state.Leading {
		return ""
	}
	return state.Token
}

// refuseCollision ends a sidecar that was given another workload's Lease before it has touched anything. A store that
// does not answer is none of its business.
func (s settings) refuseCollision(ctx context.Context, store lease.Store) error {
	ctx, cancel := context.WithTimeout(ctx, firstLook)
	defer cancel()
	reply, err := store.Get(ctx)
	other, ours := reply.Record.Workload, s.election.Workload
	if err != nil || other == "" || ours == "" || other == ours {
		return nil //nolint:nilerr // the election reads again, and says what is wrong
	}
	return &elector.CollisionError{Lease: s.election.Lease, Namespace: s.election.Namespace, Workload: ours, Other: other}
}

// lock takes the signal directory's lock, which tells that no other process speaks for this candidate there. It waits
// for as long as another one has it, and says so once. The hold is nil without a signal directory, or when ctx ends.
func (s settings) lock(ctx context.Context, log *slog.Logger) (hold *elector.Hold, waited bool, err error) {
	if s.signalDir == "" {
		return nil, false, nil
	}
	for {
		hold, err := elector.OpenHold(s.signalDir, s.election.Lease)
		if err == nil {
			return hold, waited, nil
		}
		if !errors.Is(err, elector.ErrHeld) {
			return nil, false, fault{fmt.Errorf("--signal-dir %s: %w", s.signalDir, err)}
		}
		if !waited {
			log.Warn("waiting for the sidecar that holds this signal directory to end: touching no file and binding no port until then",
				"signal_dir", s.signalDir, "error", err)
		}
		waited = true
		timer := time.NewTimer(lockAgain)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, waited, nil
		}
	}
}
