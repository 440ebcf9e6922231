//go:build linux

package sidecar

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

const (
	// firstLook bounds the first look for another workload's Lease; the election looks again.
	firstLook = time.Second
	// lockAgain is the pause between attempts at the signal directory's lock.
	lockAgain = 200 * time.Millisecond
)

// refuseCollision ends a sidecar whose Lease is another workload's before it touches anything. A silent store passes.
func (s *Sidecar) refuseCollision(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, firstLook)
	defer cancel()
	reply, err := s.store.Get(ctx)
	e := s.cfg.Election
	other, ours := reply.Workload, e.Workload
	if err != nil || other == "" || ours == "" || other == ours {
		return nil //nolint:nilerr // the election reads again and reports the fault
	}
	return &elector.CollisionError{Lease: e.Lease, Namespace: e.Namespace, Workload: ours, Other: other}
}

// Replica identifies a replica.
type Replica struct {
	// Name is the name for people, such as the pod's.
	Name string
	// PodUID is the pod's UID; "" outside a pod.
	PodUID string
}

// Identity returns the replica's identity: the pod's own if alone says that no other process has it, else a new random one.
// It fails on a name that an identity cannot hold.
func (r Replica) Identity(alone bool) (naming.Identity, error) {
	if alone && r.PodUID != "" {
		return naming.NewIdentity(r.Name, r.PodUID)
	}
	return naming.RandomIdentity(r.Name)
}

// lock takes the signal directory's lock, which proves that no other process writes there. It waits while another process
// has it, and logs that once. The hold is nil without a signal directory, or if ctx ends.
func (s *Sidecar) lock(ctx context.Context) (hold *elector.Hold, waited bool, err error) {
	if s.cfg.SignalDir == "" {
		return nil, false, nil
	}
	for {
		hold, err := elector.OpenHold(s.cfg.SignalDir, s.cfg.Election.Lease)
		if err == nil {
			return hold, waited, nil
		}
		if !errors.Is(err, elector.ErrHeld) {
			return nil, false, &ResourceError{Field: "SignalDir", err: fmt.Errorf("%s: %w", s.cfg.SignalDir, err)}
		}
		if !waited {
			s.log.Warn("waiting for the sidecar that holds this signal directory to end: touching no file and binding no port until then",
				"reason", "SignalDirHeld", "signal_dir", s.cfg.SignalDir, "error", err)
		}
		waited = true
		if bootclock.Sleep(ctx, bootclock.System{}, lockAgain) != nil {
			return nil, waited, nil
		}
	}
}

// resumable returns the token of the term in an earlier process's hold file; "" if the file is void or the term is over.
func (s *Sidecar) resumable(hold *elector.Hold, identity naming.Identity) string {
	config, now := s.cfg.Election, bootclock.System{}.Now()
	config.Identity = identity
	state, ok := hold.Load(config.HoldKey(), now, now.Add(config.RenewDeadline))
	if !ok || !state.Leading {
		return ""
	}
	return state.Token
}
