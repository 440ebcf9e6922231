//go:build linux

package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"

	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
)

// timing is what a candidate campaigns on.
type timing struct{ duration, deadline, interval time.Duration }

// renewal is the time between two renewals. One that is not given is the elector's default: a fifth of the lease duration, 1 s or more.
func (t timing) renewal() time.Duration { return cmp.Or(t.interval, max(t.duration/5, time.Second)) }

// whole rounds a time up to whole renewals: candidates that start together renew together, so that in less there may be none.
func (t timing) whole(d time.Duration) time.Duration {
	one := t.renewal()
	return (d + one - 1) / one * one
}

// kind is an elector that takes part.
type kind struct {
	subject result.Subject
	timing  timing
	// campaign runs a candidate until ctx ends: then it releases the Lease if it leads, as on SIGTERM. An error means that it could
	// not be made.
	campaign func(ctx context.Context, e *electorate, c *candidate) (run func(), err error)
}

// electorate is the candidates of one Lease, in this process, each with connections and a token of its own.
type electorate struct {
	kind             kind
	namespace, lease string
	workload         string
	count            *traffic
	lost             *losses

	ctx     context.Context // its own lifetime
	running sync.WaitGroup
	begun   chan beginning
	leader  atomic.Pointer[candidate]
	members []*candidate
	started int
}

// beginning is the first instant of a term.
type beginning struct {
	who *candidate
	at  time.Time
}

// candidate is one replica.
type candidate struct {
	identity string
	access   *rest.Config
	line     *line
	prefer   func(successor string) // nil: no such thing
	end      context.CancelFunc
	ended    chan struct{}
	asked    atomic.Bool // to end
	leads    bool        // its own goroutine's
}

// newElectorate describes an election of that kind. Its candidates end with ctx.
func newElectorate(ctx context.Context, k kind, namespace, lease, workload string, count *traffic, lost *losses) *electorate {
	return &electorate{
		kind: k, namespace: namespace, lease: lease, workload: workload, count: count, lost: lost, ctx: ctx,
		begun: make(chan beginning, 64),
	}
}

// join starts one more candidate with that access, and calls reached at its first answer.
func (e *electorate) join(access *rest.Config, reached func()) error {
	e.started++
	c := &candidate{
		identity: fmt.Sprintf("web-%d_00000000-0000-4000-8000-%012d", len(e.members), e.started), access: access,
		line: newLine(e.count, reached), ended: make(chan struct{}),
	}
	ctx, cancel := context.WithCancel(e.ctx)
	c.end = cancel
	run, err := e.kind.campaign(ctx, e, c)
	if err != nil {
		cancel()
		return fmt.Errorf("start candidate %s: %w", c.identity, err)
	}
	e.members = append(e.members, c)
	e.running.Go(func() {
		defer close(c.ended)
		defer cancel()
		run()
		c.line.cut() // its process has ended
	})
	return nil
}

// leads takes the news whether a candidate leads. It is called by that candidate's own goroutine.
func (e *electorate) leads(c *candidate, now bool) {
	switch {
	case now && !c.leads:
		e.leader.Store(c)
		select {
		case e.begun <- beginning{c, time.Now()}:
		default: // nobody asks
		}
	case !now && c.leads && !c.asked.Load():
		e.lost.terms.Add(1)
	}
	c.leads = now
}

var errNoLeader = errors.New("nobody leads")

// await waits for the next beginning of a term.
func (e *electorate) await(bound time.Duration) (beginning, error) {
	timer := time.NewTimer(bound)
	defer timer.Stop()
	select {
	case b := <-e.begun:
		return b, nil
	case <-timer.C:
		return beginning{}, fmt.Errorf("%s/%s: %w within %v", e.namespace, e.lease, errNoLeader, bound)
	}
}

// remove ends the leader, as SIGTERM does or as SIGKILL does, and returns how long it takes until another candidate leads. The old
// leader is replaced by nobody yet: see [electorate.replace].
func (e *electorate) remove(kill bool, bound time.Duration) (took time.Duration, old *candidate, err error) {
	for len(e.begun) > 0 {
		<-e.begun
	}
	old = e.leader.Load()
	if old == nil {
		return 0, nil, errNoLeader
	}
	began := time.Now()
	old.asked.Store(true)
	if kill {
		old.line.cut()
	}
	old.end()
	next, err := e.await(bound)
	return next.at.Sub(began), old, err
}

// replace starts a candidate in the place of one that has gone, with its access, as a Deployment does.
func (e *electorate) replace(old *candidate, reached func()) error {
	for i, c := range e.members {
		if c == old {
			e.members = append(e.members[:i:i], e.members[i+1:]...)
			break
		}
	}
	return e.join(old.access, reached)
}

// following returns the identity of a candidate that does not lead, "" where there is none.
func (e *electorate) following() string {
	for _, c := range e.members {
		if c != e.leader.Load() {
			return c.identity
		}
	}
	return ""
}

// losses counts the terms that ended though nobody asked, and what the electors say of it.
type losses struct {
	terms atomic.Int64

	mu      sync.Mutex
	reasons map[string]int
}

func (l *losses) note(reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reasons == nil {
		l.reasons = map[string]int{}
	}
	l.reasons[reason]++
}

func (l *losses) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprintf("%d terms ended by themselves; %v", l.terms.Load(), l.reasons)
}
