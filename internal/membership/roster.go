package membership

import (
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// Roster is what this replica knows of the members of its election. Its methods may be called from several goroutines at once.
type Roster struct {
	cfg    Config
	clock  bootclock.Clock
	change chan struct{} // has room for one: something has changed that is to be published
	began  bootclock.Instant

	mu       sync.Mutex
	members  map[string]*entry // by the Lease's name
	highest  lease.Version     // of all that was seen
	last     bootclock.Instant // when the store was last heard of
	listed   bool              // a list was read to its end
	watching bool              // a watch stands
	unkept   map[string]bool   // Leases of members that found no room since the last list, as many as are kept at most
	ignored  int               // Leases with the label that are no member's, since the last list
}

func newRoster(cfg Config, clock bootclock.Clock) *Roster {
	return &Roster{
		cfg: cfg, clock: clock, began: clock.Now(), change: make(chan struct{}, 1), members: map[string]*entry{}, unkept: map[string]bool{},
	}
}

// apply takes an event of a watch. It reports false where the event cannot follow what was seen: the store was restored.
func (r *Roster) apply(e lease.MemberEvent) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock.Now()
	if order := e.Member.Version.Compare(r.highest); order < 0 || order == 0 && e.Member.Name != "" {
		return false
	}
	r.last, r.highest = now, e.Member.Version
	if e.Member.Name == "" {
		return true // a bookmark
	}
	r.take(e, now)
	return true
}

// confirm takes the answer to a write of our own, which proves that we live. The watch shows it too, or something newer.
func (r *Roster) confirm(m lease.Member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.take(lease.MemberEvent{Member: m}, r.clock.Now())
}

// take stores what an event shows of a member. The lock is held.
func (r *Roster) take(e lease.MemberEvent, now bootclock.Instant) {
	known := r.members[e.Member.Name]
	if known != nil && known.UID == e.Member.UID && e.Member.Version.Compare(known.Version) <= 0 {
		return // known already
	}
	one, err := parse(r.cfg.Lease, e.Member)
	if err != nil && !e.Deleted {
		r.ignored++
	}
	if e.Deleted || err != nil {
		delete(r.unkept, e.Member.Name)
		if known != nil {
			delete(r.members, e.Member.Name)
			r.tell()
		}
		return
	}
	next := entry{Member: one, first: r.clock.Wall(), proven: now}
	quiet := false
	if known != nil && known.Identity == one.Identity {
		next.first = known.first
		quiet = known.sameFacts(one) && known.state(now) == Live
	}
	r.put(next, now)
	if !quiet {
		r.tell()
	}
}

// put stores an entry that was just seen. Where there is no room it first forgets those that are gone. The lock is held.
func (r *Roster) put(e entry, now bootclock.Instant) {
	_, known := r.members[e.Lease]
	if !known && e.Lease != r.cfg.leaseName() && len(r.members) >= r.cfg.Most && !r.makeRoom(now) {
		if len(r.unkept) < r.cfg.Most {
			r.unkept[e.Lease] = true
		}
		return
	}
	delete(r.unkept, e.Lease)
	e.until = now
	if e.Identity != "" {
		e.until = now.Add(r.lifetime(e.Duration))
	}
	r.members[e.Lease] = &e
}

// lifetime bounds what a Lease says of its duration: a longer one than our own is not believed.
func (r *Roster) lifetime(said time.Duration) time.Duration {
	return min(max(said, minDuration), r.cfg.Duration)
}

// makeRoom forgets members that are not there any more. Our own stays.
func (r *Roster) makeRoom(now bootclock.Instant) bool {
	for name, e := range r.members {
		if state := e.state(now); (state == Left || state == Expired) && name != r.cfg.leaseName() {
			delete(r.members, name)
		}
	}
	return len(r.members) < r.cfg.Most
}

// stand notes whether a watch stands.
func (r *Roster) stand(watching bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.watching != watching {
		r.watching = watching
		r.tell()
	}
}

// heard returns when the store was last heard of, and the version to watch from.
func (r *Roster) heard() (at bootclock.Instant, version lease.Version) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last, r.highest
}

// overflow returns how many members found no room, and how many Leases with the label are no member's, since the last list.
func (r *Roster) overflow() (dropped, ignored int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.unkept), r.ignored
}

// tell says that something has changed. The lock is held.
func (r *Roster) tell() {
	select {
	case r.change <- struct{}{}:
	default:
	}
}

// nudge is tell without the lock.
func (r *Roster) nudge() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tell()
}

// spare notes that a member's Lease could not be deleted, unless that has changed.
func (r *Roster) spare(m lease.Member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known := r.members[m.Name]; known != nil && known.Version == m.Version {
		known.spared = r.clock.Now().Add(sweepAgain)
	}
}

// forget removes a member whose Lease was deleted.
func (r *Roster) forget(m lease.Member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known := r.members[m.Name]; known != nil && known.Version == m.Version {
		delete(r.members, m.Name)
		r.tell()
	}
}
