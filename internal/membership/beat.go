package membership

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/trouble"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

const (
	// attempts bounds the requests of one beat that meet a Lease which changes meanwhile.
	attempts = 4
	// leaveTimeout bounds the last write, by which this member leaves.
	leaveTimeout = 2 * time.Second
	// repairPause is the least time between two beats, when somebody else writes to the Lease.
	repairPause = time.Second
)

// beat keeps this member's own Lease.
type beat struct {
	cfg    Config
	deps   Deps
	budget *budget
	roster *Roster
	note   func(verb string, err error)

	news    chan struct{} // has room for one: write soon
	leave   chan struct{} // closed: this member leaves
	gone    chan struct{} // closed: it has left, or cannot
	leaving sync.Once

	mu       sync.Mutex
	health   Health
	answered lease.Version // of our newest write
	ok       bool          // the newest beat has succeeded

	// Of the goroutine of run.
	known   lease.Member  // as last answered; no Version: unknown
	joined  lease.Version // of our first write
	holds   string        // the identity under which we have written
	trouble trouble.Last
}

func newBeat(cfg Config, deps Deps, b *budget, r *Roster, note func(string, error)) *beat {
	return &beat{
		cfg: cfg, deps: deps, budget: b, roster: r, note: note, health: Healthy,
		news: make(chan struct{}, 1), leave: make(chan struct{}), gone: make(chan struct{}),
	}
}

// setHealth changes what the Lease says, soon. Leaving is final.
func (b *beat) setHealth(h Health) {
	b.mu.Lock()
	changed := b.health != Leaving && b.health != h
	if changed {
		b.health = h
	}
	b.mu.Unlock()
	if changed {
		b.wake()
	}
}

// well reports whether the newest beat has succeeded.
func (b *beat) well() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ok
}

func (b *beat) wake() {
	select {
	case b.news <- struct{}{}:
	default:
	}
}

// want returns what the Lease should say now.
func (b *beat) want() own {
	b.mu.Lock()
	defer b.mu.Unlock()
	return own{cfg: b.cfg, identity: b.deps.Identity(), health: b.health}
}

// run writes at once, then in each interval, and once more when it is to leave or when ctx ends.
func (b *beat) run(ctx context.Context) {
	defer close(b.gone)
	timer := b.deps.Clock.NewTimer()
	defer timer.Stop()
	writing, stop := context.WithCancel(ctx)
	var stopping sync.WaitGroup
	defer stopping.Wait()
	defer stop()
	stopping.Go(func() { // a write in flight must not hold up the last one
		select {
		case <-b.leave:
			stop()
		case <-writing.Done():
		}
	})
	wait := backoff{most: b.cfg.RenewInterval, rand: b.deps.Rand}
	for {
		err := b.attempt(writing)
		if writing.Err() != nil {
			break
		}
		b.mu.Lock()
		b.ok = err == nil
		b.mu.Unlock()
		b.report(err)
		pause := b.interval()
		if err == nil {
			wait.reset()
		} else {
			pause = wait.pause()
		}
		if b.rest(writing, timer, pause) != nil {
			break
		}
	}
	b.sayGoodbye(ctx)
}

// end has run write that this member has left, and end.
func (b *beat) end() { b.leaving.Do(func() { close(b.leave) }) }

// interval returns the time to the next beat: a replica is a little early, so that a fleet does not beat in step.
func (b *beat) interval() time.Duration {
	return time.Duration((0.8 + 0.2*b.deps.Rand()) * float64(b.cfg.RenewInterval))
}

// rest waits for the pause, or until there is something to write; then still until repairPause is over.
func (b *beat) rest(ctx context.Context, timer bootclock.Timer, pause time.Duration) error {
	began := b.deps.Clock.Now()
	if err := bootclock.Await(ctx, timer, began.Add(pause), b.news, nil); err != nil {
		return err
	}
	if left := repairPause - b.deps.Clock.Now().Sub(began); left > 0 {
		return bootclock.Sleep(ctx, b.deps.Clock, left)
	}
	return nil
}

// noticed takes an event of this member's own Lease: somebody has removed or edited it.
func (b *beat) noticed(e lease.MemberEvent) {
	if e.Member.Name != b.cfg.leaseName() {
		return
	}
	b.mu.Lock()
	ours := e.Member.Version.Compare(b.answered) <= 0
	b.mu.Unlock()
	if !ours && (e.Deleted || !b.want().saidBy(e.Member)) {
		b.wake()
	}
}

// report logs how a beat ended, when that changes.
func (b *beat) report(err error) {
	log := b.deps.Log.With("member_lease", b.cfg.leaseName())
	switch {
	case !b.trouble.Changed(err):
	case errors.Is(err, errSuperseded):
		log.Warn("another process of this pod keeps the member's Lease", "reason", "MemberSuperseded", "error", err)
	case err != nil:
		log.Warn("this member's Lease cannot be written: other replicas do not see this one, the election goes on",
			"reason", "MemberLeaseFailed", "error", err)
	default:
		log.Info("member's Lease is written", "reason", "MemberLeaseWritten", "joined", b.joined)
	}
}
