package membership

import (
	"cmp"
	"fmt"
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// State is what this replica knows of a member.
type State int

// The states.
const (
	// Unproven: its Lease was there when this replica first looked, and has not changed since. It may be dead.
	Unproven State = iota
	// Live: its Lease was seen to change within its duration.
	Live
	// Left: it has cleared the holder.
	Left
	// Expired: its Lease was not seen to change for its duration.
	Expired
)

// String returns the name in documents and metrics.
func (s State) String() string { return [...]string{"unproven", "live", "left", "expired"}[s] }

// entry is a member, and what was seen of it. Instants are of this replica's boot clock.
type entry struct {
	Member
	first  time.Time         // this replica's wall clock when it first saw this holder
	proven bootclock.Instant // when the Lease was last seen to change; zero: never
	until  bootclock.Instant // when the member has expired or, if it left, when it left
}

func (e entry) state(now bootclock.Instant) State {
	switch {
	case e.Identity == "":
		return Left
	case !now.Before(e.until):
		return Expired
	case e.proven.IsZero():
		return Unproven
	}
	return Live
}

// Roster is what this replica knows of the members of its election. Its methods may be called from several goroutines at once.
type Roster struct {
	cfg    Config
	clock  bootclock.Clock
	change chan struct{} // has room for one: something has changed that is to be published

	mu       sync.Mutex
	members  map[string]*entry // by the Lease's name
	highest  lease.Version     // of all that was seen
	last     bootclock.Instant // when the store was last heard of
	watching bool              // a watch stands
	dropped  int               // members that found no room since the last list
	ignored  int               // Leases with the label that are no member's, since the last list
}

func newRoster(cfg Config, clock bootclock.Clock) *Roster {
	return &Roster{
		cfg: cfg, clock: clock, change: make(chan struct{}, 1), members: map[string]*entry{},
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
		r.dropped++
		return
	}
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
	return r.dropped, r.ignored
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

// Counts are the members by state, and those that were not kept, as there was no room.
type Counts struct {
	// Live, Unproven, Left and Expired count by [State].
	Live     int `json:"live"`
	Unproven int `json:"unproven"`
	Left     int `json:"left"`
	Expired  int `json:"expired"`
	// NotKept counts those that found no room.
	NotKept int `json:"notKept"`
}

// Counts counts the members as of now.
func (r *Roster) Counts() Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts(r.clock.Now())
}

func (r *Roster) counts(now bootclock.Instant) Counts {
	c := Counts{NotKept: r.dropped}
	for _, e := range r.members {
		switch e.state(now) {
		case Live:
			c.Live++
		case Unproven:
			c.Unproven++
		case Left:
			c.Left++
		case Expired:
			c.Expired++
		}
	}
	return c
}

// live returns the live members, and when the first of them expires unless it renews; zero: never.
func (r *Roster) live() (live []proven, next bootclock.Instant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock.Now()
	for _, e := range r.members {
		state := e.state(now)
		if state == Live {
			live = append(live, proven{e.Member, e.proven})
		}
		if (state == Live || state == Unproven) && (next.IsZero() || e.until.Before(next)) {
			next = e.until
		}
	}
	return live, next
}

// Find returns the identity of the member of that pod, to hand over to; else "" and why it cannot lead.
func (r *Roster) Find(pod string) (identity, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock.Now()
	var found *entry
	for _, e := range r.members {
		if e.Pod == pod && (found == nil || cmp.Compare(e.proven, found.proven) > 0) {
			found = e
		}
	}
	switch {
	case found == nil:
		return "", fmt.Sprintf("no member is known of pod %q", clip(pod))
	case found.state(now) != Live:
		return "", map[State]string{
			Left:     "that member has left",
			Expired:  "that member's Lease has expired",
			Unproven: "that member was not seen alive yet: ask again in a moment",
		}[found.state(now)]
	case found.Health == Leaving:
		return "", "that member is leaving"
	case found.Health != Healthy:
		return "", "that member is unhealthy"
	}
	return found.Identity, ""
}

// expired returns a member that expired or left longest ago, if that is longer ago than the TTL; and when the next one is due.
func (r *Roster) expired() (due lease.Member, ok bool, next bootclock.Instant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock.Now()
	var oldest *entry
	for name, e := range r.members {
		if state := e.state(now); state != Left && state != Expired || name == r.cfg.leaseName() {
			continue
		}
		if oldest == nil || e.until.Before(oldest.until) {
			oldest = e
		}
	}
	if oldest == nil {
		return lease.Member{}, false, 0
	}
	at := oldest.until.Add(r.cfg.TTL)
	return lease.Member{Name: oldest.Lease, UID: oldest.UID, Version: oldest.Version}, !now.Before(at), at
}

// lives reports whether the member's Lease has that holder, and may still be renewed by it.
func (r *Roster) lives(name, holder string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.members[name]
	return e != nil && e.Identity == clip(holder) && e.state(r.clock.Now()) != Expired
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
