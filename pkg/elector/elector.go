package elector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

var (
	// ErrNotLeading answers a step-down asked of a candidate that does not lead.
	ErrNotLeading = errors.New("this replica does not lead")
	// ErrDraining answers a step-down asked of a candidate that hands over already.
	ErrDraining = errors.New("this replica is handing over already: it waits for its workload to stop")
	// ErrNotRunning answers a command to an election that has ended, or whose loop does not take it in time.
	ErrNotRunning = errors.New("the election does not run")
	// ErrLeadershipLost ends an election with [Config.ExitOnLoss] whose term has ended unasked.
	ErrLeadershipLost = errors.New("leadership was lost")
	// ErrHeld answers an attempt to open a hold whose lock another live process has.
	ErrHeld = errors.New("another lease-sidecar holds this signal directory: give each sidecar a signal directory of its own")
)

// CollisionError ends an election whose Lease is annotated for another workload. Two workloads that share one Lease name
// would leave one of them without any active replica.
type CollisionError struct {
	// Lease and Namespace name the Lease; Workload is ours, Other the one annotated.
	Lease, Namespace, Workload, Other string
}

// Error names both workloads and the fix. It does not advise to delete the Lease: without the right to create it nobody would lead.
func (e *CollisionError) Error() string {
	return fmt.Sprintf("Lease %s/%s belongs to %s, not to %s: give one of them another Lease name "+
		"(or, if %s is gone, correct the annotation %s)", e.Namespace, e.Lease, e.Other, e.Workload, e.Other, naming.AnnotationWorkload)
}

// Deps is what a candidate is built on. Store is required.
type Deps struct {
	// Store keeps the Lease.
	Store lease.Store
	// Hold is the locked hold file, a [*Hold]; nil: no term is resumed, and Identity must be new in every process.
	Hold HoldFile
	// Clock is the machine's by default, BootID then the running boot's.
	Clock  bootclock.Clock
	BootID string
	// Log takes changes of leadership (Info), troubles when they change (Warn) and races (Debug). Nil: none.
	Log *slog.Logger
	// Rand draws evenly from [0, 1). Nil: the runtime's own source.
	Rand func() float64
}

// Outputs is where an election hands its results. Publish is required.
type Outputs struct {
	// Publish takes every new leadership. It must not block: the newest value replaces the ones before it.
	Publish func(leadership.Leadership)
	// StopWait returns once the workload has stopped or is abandoned, or when ctx ends. It is called in its own goroutine at
	// the start of each drain, and again, in place of the call before, when the drain changes (the process is to end). It is
	// not called when no term has been published since the workload was last seen to have stopped.
	// Nil: the workload counts as stopped at once.
	StopWait func(ctx context.Context, d Drain) Outcome
	// Wished is asked who the pod is that somebody wants to lead (annotation lease-sidecar.dev/preferred-holder), while this candidate
	// leads. It must not block, and answers by [Elector.Answer]. Nil: such wishes are left alone.
	Wished func(pod string)
	// Observer counts requests and abandoned drains. Nil: nobody does.
	Observer Observer
}

// Drain is a handover in progress: the workload is to stop, and the Lease is released once it has.
type Drain struct {
	// Cause says who or what asked for the handover.
	Cause string
	// Terminating says that this process is ending too.
	Terminating bool
	// Began is when the drain did.
	Began bootclock.Instant
	// Until is the last validUntil published while leading, in this term or, if nothing was, in the one before. From then on no
	// reader that honours validUntil takes this replica for the leader.
	Until bootclock.Instant
	// Token is that of the last term published while leading: the drained term's, unless that one began too late to be
	// published. A workload that reports its stop may name it.
	Token string
}

// Outcome is how the waiting for a workload's stop ended.
type Outcome int

// The outcomes of [Outputs.StopWait]. Any other value counts as [Abandoned], except after ctx has ended: then it is ignored.
const (
	// WorkloadStopped: nothing of the workload works any more, so the Lease may be released.
	WorkloadStopped Outcome = iota + 1
	// Abandoned: the workload is not waited for any longer. The Lease is neither released nor renewed: it runs out.
	Abandoned
)

// Observer counts for metrics. It is called from several goroutines and must not block.
type Observer interface {
	// Requested counts a request that has ended. The verb is get, create, update (a take), renew or release; err may be nil.
	Requested(verb string, latency time.Duration, err error)
	// DrainAbandoned counts a handover that ended though the workload was not seen to stop.
	DrainAbandoned()
}

// Elector is one candidate of one election. Make it with [New].
type Elector struct {
	cfg      Config
	deps     Deps
	snapshot atomic.Pointer[leadership.Leadership]
	unready  atomic.Pointer[string] // why it could not lead; "" where it could
	commands *commands
}

// New returns a candidate that does nothing until [Elector.Run]. It fails on a configuration that is not safe
// (see [Config.Validate]) and where the machine has no boot clock.
func New(cfg Config, deps Deps) (*Elector, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Store == nil {
		return nil, errors.New("elector: Deps.Store is required")
	}
	if deps.Clock == nil {
		deps.Clock = bootclock.System{}
	}
	if deps.BootID == "" {
		id, err := bootclock.ID()
		if err != nil {
			return nil, err
		}
		deps.BootID = id
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Rand == nil {
		deps.Rand = rand.Float64
	}
	e := &Elector{cfg: cfg, deps: deps, commands: newCommands()}
	unread := "the election has not begun yet"
	e.unready.Store(&unread)
	e.snapshot.Store(&leadership.Leadership{
		Lease: cfg.Lease, Namespace: cfg.Namespace, Identity: string(cfg.Identity), BootID: deps.BootID,
	})
	return e, nil
}

// Run campaigns until ctx ends. Then it hands over if it leads, and returns nil once the Lease is released or has run out.
// It returns a [*CollisionError] when the Lease is another workload's, and [ErrLeadershipLost] as [Config.ExitOnLoss]
// says. Everything that it started has ended when it returns. Run it once.
func (e *Elector) Run(ctx context.Context, to Outputs) error {
	if to.Publish == nil {
		return errors.New("elector: Outputs.Publish is required")
	}
	if to.Observer == nil {
		to.Observer = unobserved{}
	}
	l := newLoop(e, to)
	close(e.commands.begun)
	defer close(e.commands.ended)
	defer l.close()
	return l.run(ctx)
}

// Leadership returns what is known, judged by the clock at this call: it never says "leader" at or past validUntil,
// even when the loop is stuck.
func (e *Elector) Leadership() leadership.Leadership {
	return e.snapshot.Load().At(e.deps.Clock.Now())
}

// Ready returns nil once the Lease has been read, and else why not. It also returns what would keep this candidate from
// ever leading: missing rights, or a missing Lease that it may not create. An outage does not take readiness back.
func (e *Elector) Ready() error {
	if why := *e.unready.Load(); why != "" {
		return errors.New(why)
	}
	return nil
}

type unobserved struct{}

func (unobserved) Requested(string, time.Duration, error) {}
func (unobserved) DrainAbandoned()                        {}
