package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

const (
	// moveTime bounds the wait for a new leader: several lease durations.
	moveTime = 12 * time.Second
	// stepPause lets the user see what has happened, and a replica come back.
	stepPause = 1200 * time.Millisecond
	// awareEvery is the pause between two looks at whether all replicas know who leads.
	awareEvery = 20 * time.Millisecond
	// wakeLook is for how long a woken replica is watched for a stale "leader".
	wakeLook = 500 * time.Millisecond
)

// move is a move of leadership from one replica to another, as the witness saw it.
type move struct {
	how      string
	from, to string
	// took is the time from the act to the first sight of the new leader; alone is the part of it in which no replica saw that
	// it leads.
	took, alone time.Duration
	remark      string
}

// times returns the times of a move: the act, the last sight of the old leader, and the first sight of the new one. The old leader
// leads until the act, but the last look at it may be a moment older: that moment counts in neither time.
func times(at, lastLed, since bootclock.Instant) (took, alone time.Duration) {
	return since.Sub(at), since.Sub(max(at, lastLed))
}

// step is one way of moving leadership away from a leader.
type step struct {
	how  string
	what string // happens to %s
	// act does it to the leader, and returns when.
	act func(ctx context.Context, leader *replica) (bootclock.Instant, error)
	// after, where not nil, restores the replica once another leads; remark is what its success shows.
	after  func(ctx context.Context, old *replica) error
	remark string
}

var steps = []step{
	{"step-down", "%s is asked to step down", stepDown, nil, "handed over on request"},
	{"SIGTERM", "%s gets SIGTERM, as in a rollout", terminate, restart, "handed over, as in a rollout"},
	// The toy is alone with the files of a dead sidecar: it has to stop by the deadline in them.
	{"SIGKILL", "the sidecar of %s gets SIGKILL", send(syscall.SIGKILL, killed), restartSidecar, "workload stopped by its deadline"},
	{"SIGSTOP", "the sidecar of %s gets SIGSTOP", send(syscall.SIGSTOP, frozen), wake, "old leader woke as a standby"},
}

func stepDown(ctx context.Context, leader *replica) (bootclock.Instant, error) {
	at := now()
	return at, leader.client.Order(ctx, "/step-down")
}

// terminate ends a pod as Kubernetes does with a native sidecar: the workload first, then the sidecar.
func terminate(_ context.Context, leader *replica) (bootclock.Instant, error) {
	at := now()
	_ = leader.toy.Signal(syscall.SIGTERM) // it may have ended already
	leader.toy.await()
	_, err := leader.signal(syscall.SIGTERM, stopped)
	return at, err
}

func restart(_ context.Context, old *replica) error {
	old.sidecar.await()
	return old.start()
}

func restartSidecar(_ context.Context, old *replica) error {
	old.sidecar.await()
	return old.startSidecar()
}

func send(sig syscall.Signal, becomes condition) func(context.Context, *replica) (bootclock.Instant, error) {
	return func(_ context.Context, leader *replica) (bootclock.Instant, error) {
		return leader.signal(sig, becomes)
	}
}

// wake wakes the sidecar, which led when it was frozen, and looks for a stale "leader".
func wake(ctx context.Context, old *replica) error {
	before := old.lastLed()
	if _, err := old.signal(syscall.SIGCONT, running); err != nil {
		return err
	}
	pause(ctx, wakeLook)
	if old.lastLed() > before {
		return fmt.Errorf("%s said that it leads when it woke", old.name)
	}
	return nil
}

func (d *demo) runStep(ctx context.Context, s step) error {
	old, _, err := d.awaitLeader(ctx, nil)
	if err != nil {
		return err
	}
	d.screen.announce(fmt.Sprintf(s.what, old.name))
	at, err := s.act(ctx, old)
	if err != nil {
		return err
	}
	leader, since, err := d.awaitLeader(ctx, old)
	if err != nil {
		return err
	}
	took, alone := times(at, old.lastLed(), since)
	m := move{s.how, old.name, leader.name, took, alone, s.remark}
	if s.after != nil {
		if err := s.after(ctx, old); err != nil {
			return err
		}
	}
	d.screen.moved(m)
	return nil
}

var errNoMove = errors.New("no other replica led in time")

// awaitLeader returns a replica other than not that sees that it leads, and when the witness first saw it.
func (d *demo) awaitLeader(ctx context.Context, not *replica) (leader *replica, since bootclock.Instant, err error) {
	err = d.await(ctx, lookEvery, func(context.Context) bool {
		for _, r := range d.replicas {
			if leads, from := r.leads(); leads && r != not {
				leader, since = r, from
				return true
			}
		}
		return false
	})
	return leader, since, err
}

// allAware reports whether every replica knows who leads, so that each step starts with three candidates.
func (d *demo) allAware(ctx context.Context) bool {
	return !slices.ContainsFunc(d.replicas, func(r *replica) bool {
		l, err := r.client.Leadership(ctx)
		return err != nil || l.Leader == ""
	})
}

// await looks again and again until so is true. Its error is errNoMove where that takes longer than a move may.
func (d *demo) await(ctx context.Context, every time.Duration, so func(context.Context) bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, d.moveTimeout, errNoMove)
	defer cancel()
	for ; ctx.Err() == nil; pause(ctx, every) {
		if so(ctx) {
			return nil
		}
	}
	return context.Cause(ctx)
}
