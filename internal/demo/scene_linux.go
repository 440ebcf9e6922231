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
	// breath lets the audience look at what has happened, and a replica come back.
	breath = 1200 * time.Millisecond
	// wakeLook is for how long a woken replica is watched for a stale word.
	wakeLook = 500 * time.Millisecond
)

// move is leadership's way from one replica to another, as the witness saw it.
type move struct {
	how      string
	from, to string
	// took is the time from the act to the first sight of the new leader; alone is for how long before that
	// nobody had been told.
	took, alone time.Duration
	remark      string
}

// scene is one way of moving leadership from a leader.
type scene struct {
	how string
	// act does it to the leader, and returns when.
	act func(ctx context.Context, p *play, leader int) (bootclock.Instant, error)
	// after puts things right again once another leads, and may remark on what it saw.
	after func(ctx context.Context, p *play, old int) (string, error)
}

var scenes = []scene{
	{"step down, when asked", actStepDown, nil},
	{"SIGTERM, as a rollout does", actTerminate, afterTerminate},
	{"SIGKILL of the sidecar", actKill, afterKill},
	{"SIGSTOP, longer than the Lease", actFreeze, afterFreeze},
}

func actStepDown(ctx context.Context, p *play, leader int) (bootclock.Instant, error) {
	at := p.clock.Now()
	return at, p.replicas[leader].client.Order(ctx, "/step-down")
}

// actTerminate ends a pod as Kubernetes does with a native sidecar: the workload first, then the sidecar.
func actTerminate(_ context.Context, p *play, leader int) (bootclock.Instant, error) {
	r := p.replicas[leader]
	r.stopToy()
	return r.stopSidecar()
}

func afterTerminate(_ context.Context, p *play, old int) (string, error) {
	r := p.replicas[old]
	r.awaitSidecar()
	return "", r.start()
}

// actKill leaves the toy alone with the files of a dead sidecar: it has to stop by the deadline in them.
func actKill(_ context.Context, p *play, leader int) (bootclock.Instant, error) {
	at := p.clock.Now()
	return at, p.replicas[leader].signal(syscall.SIGKILL, killed)
}

func afterKill(_ context.Context, p *play, old int) (string, error) {
	r := p.replicas[old]
	r.awaitSidecar()
	return "its workload stopped by the deadline in the file", r.startSidecar()
}

func actFreeze(_ context.Context, p *play, leader int) (bootclock.Instant, error) {
	at := p.clock.Now()
	return at, p.replicas[leader].signal(syscall.SIGSTOP, frozen)
}

// afterFreeze wakes the sidecar, which believed that it led when it fell asleep, and listens for a stale word.
func afterFreeze(ctx context.Context, p *play, old int) (string, error) {
	before := p.witness.toldLast(old)
	if err := p.replicas[old].signal(syscall.SIGCONT, running); err != nil {
		return "", err
	}
	pause(ctx, wakeLook)
	if p.witness.toldLast(old) > before {
		return "", fmt.Errorf("%s said that it leads when it woke", p.replicas[old].name)
	}
	return "woke and knew at once that it no longer led", nil
}

// first waits for the leader of a new election.
func (p *play) first(ctx context.Context, began bootclock.Instant) error {
	leader, since, err := p.awaitLeader(ctx, -1)
	if err != nil {
		return err
	}
	p.moved(move{
		how: "first election", from: "-", to: p.replicas[leader].name, took: since.Sub(began), alone: since.Sub(began),
		remark: "a new Lease costs one lease duration",
	})
	return nil
}

// perform plays a scene: it finds the leader, acts, waits for another one and puts things right.
func (p *play) perform(ctx context.Context, s scene) error {
	old, _, err := p.awaitLeader(ctx, -1)
	if err != nil {
		return err
	}
	p.announce(s.how, p.replicas[old].name)
	at, err := s.act(ctx, p, old)
	if err != nil {
		return err
	}
	leader, since, err := p.awaitLeader(ctx, old)
	if err != nil {
		return err
	}
	m := move{
		how: s.how, from: p.replicas[old].name, to: p.replicas[leader].name,
		took: since.Sub(at), alone: since.Sub(p.witness.toldLast(old)),
	}
	if s.after != nil {
		if m.remark, err = s.after(ctx, p, old); err != nil {
			return err
		}
	}
	p.moved(m)
	return nil
}

var errNoMove = errors.New("nobody else was told in time that it leads")

// awaitLeader returns a replica other than not that is told to lead, and when the witness first saw it.
func (p *play) awaitLeader(ctx context.Context, not int) (int, bootclock.Instant, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, p.patience, errNoMove)
	defer cancel()
	for ctx.Err() == nil {
		if leader, s := p.witness.leader(); leader >= 0 && leader != not {
			return leader, s.from, nil
		}
		pause(ctx, lookEvery)
	}
	return -1, 0, context.Cause(ctx)
}

// awaitAll waits until every replica knows who leads, so that each scene starts with a full cast.
func (p *play) awaitAll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, p.patience)
	defer cancel()
	for ctx.Err() == nil {
		unknowing := func(r *replica) bool {
			l, err := r.client.Leadership(ctx)
			return err != nil || l.Leader == ""
		}
		if !slices.ContainsFunc(p.replicas, unknowing) {
			return
		}
		pause(ctx, 20*time.Millisecond)
	}
}
