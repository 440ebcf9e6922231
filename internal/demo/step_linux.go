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
	// wakeLook is for how long a woken replica is watched for a stale "leader".
	wakeLook = 500 * time.Millisecond
)

// move is a move of leadership from one replica to another, as the witness saw it.
type move struct {
	how      string
	from, to string
	// took is the time from the act to the first sight of the new leader; alone is for how long before that no replica saw
	// that it leads.
	took, alone time.Duration
	remark      string
}

// step is one way of moving leadership away from a leader.
type step struct {
	how string
	// act does it to the leader, and returns when.
	act func(ctx context.Context, d *demo, leader int) (bootclock.Instant, error)
	// after restores the replica once another leads, and may remark on what it saw.
	after func(ctx context.Context, d *demo, old int) (string, error)
}

var steps = []step{
	{"step down, when asked", actStepDown, nil},
	{"SIGTERM, as a rollout does", actTerminate, afterTerminate},
	{"SIGKILL of the sidecar", actKill, afterKill},
	{"SIGSTOP, longer than the Lease", actFreeze, afterFreeze},
}

func actStepDown(ctx context.Context, d *demo, leader int) (bootclock.Instant, error) {
	at := d.clock.Now()
	return at, d.replicas[leader].client.Order(ctx, "/step-down")
}

// actTerminate ends a pod as Kubernetes does with a native sidecar: the workload first, then the sidecar.
func actTerminate(_ context.Context, d *demo, leader int) (bootclock.Instant, error) {
	r := d.replicas[leader]
	r.stopToy()
	return r.stopSidecar()
}

func afterTerminate(_ context.Context, d *demo, old int) (string, error) {
	r := d.replicas[old]
	r.awaitSidecar()
	return "", r.start()
}

// actKill leaves the toy alone with the files of a dead sidecar: it has to stop by the deadline in them.
func actKill(_ context.Context, d *demo, leader int) (bootclock.Instant, error) {
	at := d.clock.Now()
	return at, d.replicas[leader].signal(syscall.SIGKILL, killed)
}

func afterKill(_ context.Context, d *demo, old int) (string, error) {
	r := d.replicas[old]
	r.awaitSidecar()
	return "its workload stopped by the deadline in the file", r.startSidecar()
}

func actFreeze(_ context.Context, d *demo, leader int) (bootclock.Instant, error) {
	at := d.clock.Now()
	return at, d.replicas[leader].signal(syscall.SIGSTOP, frozen)
}

// afterFreeze wakes the sidecar, which led when it was frozen, and looks for a stale "leader".
func afterFreeze(ctx context.Context, d *demo, old int) (string, error) {
	before := d.witness.lastLed(old)
	if err := d.replicas[old].signal(syscall.SIGCONT, running); err != nil {
		return "", err
	}
	_ = bootclock.Sleep(ctx, d.clock, wakeLook) // an error shows later
	if d.witness.lastLed(old) > before {
		return "", fmt.Errorf("%s said that it leads when it woke", d.replicas[old].name)
	}
	return "woke and knew at once that it no longer led", nil
}

// first waits for the leader of a new election.
func (d *demo) first(ctx context.Context, began bootclock.Instant) error {
	leader, since, err := d.awaitLeader(ctx, -1)
	if err != nil {
		return err
	}
	d.moved(move{
		how: "first election", from: "-", to: d.replicas[leader].name, took: since.Sub(began), alone: since.Sub(began),
		remark: "a new Lease costs one lease duration",
	})
	return nil
}

// runStep finds the leader, acts on it, waits for another one and restores the replica.
func (d *demo) runStep(ctx context.Context, s step) error {
	old, _, err := d.awaitLeader(ctx, -1)
	if err != nil {
		return err
	}
	d.announce(s.how, d.replicas[old].name)
	at, err := s.act(ctx, d, old)
	if err != nil {
		return err
	}
	leader, since, err := d.awaitLeader(ctx, old)
	if err != nil {
		return err
	}
	m := move{
		how: s.how, from: d.replicas[old].name, to: d.replicas[leader].name,
		took: since.Sub(at), alone: since.Sub(d.witness.lastLed(old)),
	}
	if s.after != nil {
		if m.remark, err = s.after(ctx, d, old); err != nil {
			return err
		}
	}
	d.moved(m)
	return nil
}

var errNoMove = errors.New("no other replica led in time")

// awaitLeader returns a replica other than not that sees that it leads, and when the witness first saw it.
func (d *demo) awaitLeader(ctx context.Context, not int) (int, bootclock.Instant, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, d.moveTimeout, errNoMove)
	defer cancel()
	for ctx.Err() == nil {
		if leader, s := d.witness.leader(); leader >= 0 && leader != not {
			return leader, s.from, nil
		}
		_ = bootclock.Sleep(ctx, d.clock, lookEvery) // an error ends the loop
	}
	return -1, 0, context.Cause(ctx)
}

// awaitAll waits until every replica knows who leads, so that each step starts with three candidates.
func (d *demo) awaitAll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, d.moveTimeout)
	defer cancel()
	for ctx.Err() == nil {
		unaware := func(r *replica) bool {
			l, err := r.client.Leadership(ctx)
			return err != nil || l.Leader == ""
		}
		if !slices.ContainsFunc(d.replicas, unaware) {
			return
		}
		_ = bootclock.Sleep(ctx, d.clock, 20*time.Millisecond) // an error ends the loop
	}
}
