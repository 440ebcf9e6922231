package elector

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// Observer is told of every request that ended: its verb (get, create, update for a take, renew, release), how long
// it took, and its error or nil. It is called from several goroutines and must not block.
type Observer interface {
	Requested(verb string, latency time.Duration, err error)
}

// Deps is what an election runs on. Store and Publish are required.
type Deps struct {
	// Store keeps the Lease.
	Store lease.Store
	// Publish takes every new level. It must not block: the newest value replaces the ones before it.
	Publish func(leadership.Leadership)
	// StopWait returns once the workload has stopped, or is not to be waited for any more, or when ctx ends. It is called
	// in its own goroutine at the start of each drain, and again, in place of the call before, when the drain changes (the
	// process is told to terminate). Nil: the workload counts as stopped at once.
	StopWait func(ctx context.Context, d Drain) Outcome
	// Hold is the locked hold file; nil: no term is resumed, and Identity must be new in every process.
	Hold *Hold
	// Clock is the machine's by default, BootID then the running boot's.
	Clock  bootclock.Clock
	BootID string
	// Log takes changes of leadership (Info), troubles when they change (Warn) and races (Debug). Nil: none.
	Log *slog.Logger
	// Observer may be nil.
	Observer Observer
	// Rand draws evenly from [0, 1). Nil: the runtime's own source.
	Rand func() float64
}

// Elector is one candidate of one election. Make it with [New].
type Elector struct {
	cfg      Config
	deps     Deps
	commands chan event
	snapshot atomic.Pointer[leadership.Leadership]
	beat     atomic.Int64
	ready    atomic.Bool
	fit      atomic.Pointer[fitness] // the newest word of SetFit
}

// New returns a candidate that does nothing until [Elector.Run]. It fails on a configuration that is not safe
// (see [Config.Validate]) and where the machine has no boot clock.
func New(cfg Config, deps Deps) (*Elector, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Store == nil || deps.Publish == nil {
		return nil, errors.New("elector: Store and Publish are required")
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
	if deps.Observer == nil {
		deps.Observer = unobserved{}
	}
	if deps.Rand == nil {
		deps.Rand = rand.Float64
	}
	e := &Elector{cfg: cfg, deps: deps, commands: make(chan event, 8)}
	e.snapshot.Store(&leadership.Leadership{
		Lease: cfg.Lease, Namespace: cfg.Namespace, Identity: string(cfg.Identity), BootID: deps.BootID,
	})
	return e, nil
}

// Run campaigns until ctx ends; then it hands over, if it leads, and returns nil once the Lease is released, or has
// run out. It returns a [*CollisionError] when the Lease is another workload's. Everything that it started has ended
// when it returns.
func (e *Elector) Run(ctx context.Context) error {
	l := newLoop(e)
	defer l.close()
	return l.run(ctx)
}

// StepDown asks for a handover, and returns at once. It returns [ErrNotLeading] on a candidate that does not lead.
func (e *Elector) StepDown(cause string) error {
	if !e.Leadership().IsLeader {
		return ErrNotLeading
	}
	e.command(stepDown{cause: cause})
	return nil
}

// Hurry ends the waiting of a handover: a workload that has not been seen to stop leaves the Lease unreleased, to run
// out by itself.
func (e *Elector) Hurry() { e.command(hurry{}) }

// SetFit says whether the workload is fit to lead, and why. A candidate is fit until it is told otherwise: unfit, it
// hands over if it leads, and does not campaign, except as [Config.LeadUnfit] says.
func (e *Elector) SetFit(fit bool, why string) {
	e.fit.Store(&fitness{fit: fit, why: why})
	e.command(tick{}) // wakes the loop, which looks for a newer word at every turn
}

// command hands a command to the loop. Where several wait there already, one more of them adds nothing.
func (e *Elector) command(c event) {
	select {
	case e.commands <- c:
	default:
	}
}

// Leadership returns what is known, judged by the clock at this call: it never says "leader" at or past validUntil,
// even when the loop is stuck.
func (e *Elector) Leadership() leadership.Leadership {
	return e.snapshot.Load().At(e.deps.Clock.Now())
}

// Ready reports whether the Lease, or its absence, has been read once.
func (e *Elector) Ready() bool { return e.ready.Load() }

// Beat returns when the loop last turned. It turns at least once a second; an old beat means that it is stuck.
func (e *Elector) Beat() bootclock.Instant { return bootclock.Instant(e.beat.Load()) }

type unobserved struct{}

func (unobserved) Requested(string, time.Duration, error) {}
