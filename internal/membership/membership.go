package membership

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// publishPause is the least time between two documents: changes that come together are published together.
const publishPause = 200 * time.Millisecond

// Membership is one replica's part in the membership of its election. Make it with [New]. Its methods may be called from
// several goroutines at once.
type Membership struct {
	cfg     Config
	deps    Deps
	outputs Outputs
	roster  *Roster
	tally   *tally
	beat    *beat
	follow  *follower
	sweep   *sweeper

	leadership atomic.Pointer[leadership.Leadership]
	choice     atomic.Pointer[Choice]
	sought     atomic.Pointer[string] // the pod that an answer is awaited for; nil: none
}

// New returns a membership that does nothing until [Membership.Run]. It fails as [Config.Validate] does.
func New(cfg Config, deps Deps, outputs Outputs) (*Membership, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	deps = deps.withDefaults()
	m := &Membership{cfg: cfg, deps: deps, outputs: outputs, roster: newRoster(cfg, deps.Clock), tally: newTally()}
	note := m.tally.note
	b := &budget{clock: deps.Clock}
	m.beat = newBeat(cfg, deps, b, m.roster, note)
	m.follow = &follower{cfg: cfg, deps: deps, budget: b, roster: m.roster, beat: m.beat, note: note}
	m.sweep = &sweeper{deps: deps, budget: b, roster: m.roster, leads: m.leads, note: note}
	return m, nil
}

// Roster returns what is known of the members.
func (m *Membership) Roster() *Roster { return m.roster }

// Observe takes each published leadership. It does not block.
func (m *Membership) Observe(l leadership.Leadership) { m.observe(l) }

// SetHealthy says whether the workload is healthy. It does not block. Until the first call it is.
func (m *Membership) SetHealthy(healthy bool) {
	if healthy {
		m.beat.setHealth(Healthy)
	} else {
		m.beat.setHealth(Unhealthy)
	}
}

// Seek asks for the member of that pod, to hand over to; Outputs.Found takes the answer. It comes at once, unless the member
// was not seen alive yet: then it comes with that member's next renewal, or when its Lease has expired. Before the members were
// listed it waits for that, for the member duration at most. A later call replaces an earlier one that is not answered. It does
// not block.
func (m *Membership) Seek(pod string) {
	m.sought.Store(&pod)
	m.answer()
}

// answer answers what is sought, if that is known.
func (m *Membership) answer() {
	pod := m.sought.Load()
	if pod == nil {
		return
	}
	if identity, why, known := m.roster.find(*pod); known && m.sought.CompareAndSwap(pod, nil) && m.outputs.Found != nil {
		m.outputs.Found(*pod, identity, why)
	}
}

// Leaving says that this replica is about to end: nobody should hand over to it. It does not block.
func (m *Membership) Leaving() { m.beat.setHealth(Leaving) }

// Leave clears this member's Lease, and waits until that is done or cannot be, at most two seconds, or ctx ends.
func (m *Membership) Leave(ctx context.Context) {
	m.beat.end()
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	select {
	case <-m.beat.gone:
	case <-ctx.Done():
	}
}

// Run keeps this member's Lease and follows the others', until ctx ends.
func (m *Membership) Run(ctx context.Context) {
	if m.cfg.Revision == "" {
		m.deps.Log.Info("the revision of this pod is not known: a rolling update may move leadership more than once; mount the pod's labels, "+
			"or set POD_LABEL_POD_TEMPLATE_HASH", "reason", "RevisionUnknown")
	}
	var running sync.WaitGroup
	running.Go(func() { m.beat.run(ctx) })
	running.Go(func() { m.follow.run(ctx) })
	running.Go(func() { m.publish(ctx) })
	if m.cfg.Sweep {
		running.Go(func() { m.sweep.run(ctx) })
	}
	running.Wait()
}

// leads reports whether this replica leads now.
func (m *Membership) leads() bool {
	l := m.leadership.Load()
	return l != nil && l.At(m.deps.Clock.Now()).IsLeader
}

// chosen returns the newest choice.
func (m *Membership) chosen() Choice {
	if c := m.choice.Load(); c != nil {
		return *c
	}
	return Choice{}
}

// publish passes on each change of who is there, and of the choice.
func (m *Membership) publish(ctx context.Context) {
	timer := m.deps.Clock.NewTimer()
	defer timer.Stop()
	var last Document
	var published bootclock.Instant
	for ctx.Err() == nil {
		m.answer()
		next := m.choose()
		now := m.deps.Clock.Now()
		d := m.Document()
		changed := !d.same(last) || published.IsZero()
		if again := published.Add(m.cfg.RenewInterval); changed || !now.Before(again) {
			last, published = d, now
			if m.outputs.Publish != nil {
				m.outputs.Publish(d, changed)
			}
		}
		if again := published.Add(m.cfg.RenewInterval); next.IsZero() || again.Before(next) {
			next = again
		}
		if bootclock.Await(ctx, timer, next, m.roster.change, nil) != nil {
			return
		}
		_ = bootclock.Sleep(ctx, m.deps.Clock, max(publishPause-m.deps.Clock.Now().Sub(published), 0)) // an error ends the loop
	}
}

// choose hands a new choice to the election, and returns when to choose again unless something changes; zero: never.
func (m *Membership) choose() (next bootclock.Instant) {
	live, next := m.roster.live()
	now, before := m.deps.Clock.Now(), m.chosen()
	staleness := m.cfg.Duration / 2
	choice := choose(live, m.cfg.leaseName(), before, now.Add(-staleness))
	for _, one := range live {
		if stale := one.at.Add(staleness + time.Second); one.Identity == choice.Successor && now.Before(stale) && (next.IsZero() || stale.Before(next)) {
			next = stale
		}
	}
	if choice == before {
		return next
	}
	m.choice.Store(&choice)
	if m.outputs.Prefer != nil {
		m.outputs.Prefer(choice)
	}
	return next
}
