package membership

import (
	"cmp"
	"fmt"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// Counts are the members by state, and those that were not kept, as there was no room.
type Counts struct {
	// Live, Unproven, Left and Expired count by [State].
	Live     int `json:"live"`
	Unproven int `json:"unproven"`
	Left     int `json:"left"`
	Expired  int `json:"expired"`
	// NotKept counts those that found no room, up to as many as are kept.
	NotKept int `json:"notKept"`
}

// Counts counts the members as of now.
func (r *Roster) Counts() Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts(r.clock.Now())
}

func (r *Roster) counts(now bootclock.Instant) Counts {
	c := Counts{NotKept: len(r.unkept)}
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

// find returns the identity of the member of that pod, to hand over to; else "" and why it cannot lead. It reports false while
// that is open: the member's Lease was there when this replica first looked, and has been neither renewed nor expired since, or this
// replica has only just begun, and has not looked yet.
func (r *Roster) find(pod string) (identity, why string, known bool) {
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
	case found == nil && !r.listed:
		return "", "the members could not be listed yet", !now.Before(r.began.Add(r.cfg.Duration))
	case found == nil:
		return "", fmt.Sprintf("no member is known of pod %q", clip(pod)), true
	}
	switch state := found.state(now); {
	case state == Unproven:
		return "", "", false
	case state == Left:
		return "", "that member has left", true
	case state == Expired:
		return "", "that member's Lease has expired", true
	case found.Health == Leaving:
		return "", "that member is leaving", true
	case found.Health != Healthy:
		return "", "that member is unhealthy", true
	}
	return found.Identity, "", true
}

// expired returns a member that expired or left longest ago, if that is longer ago than the TTL; and when the next one is due. One
// whose Lease could not be deleted comes later: it must not hold up the others.
func (r *Roster) expired() (due lease.Member, ok bool, next bootclock.Instant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock.Now()
	var first *entry
	for name, e := range r.members {
		if state := e.state(now); state != Left && state != Expired || name == r.cfg.leaseName() {
			continue
		}
		if at := max(e.until.Add(r.cfg.TTL), e.spared); first == nil || at.Before(next) {
			first, next = e, at
		}
	}
	if first == nil {
		return lease.Member{}, false, 0
	}
	return lease.Member{Name: first.Lease, UID: first.UID, Version: first.Version}, !now.Before(next), next
}

// lives reports whether the member's Lease has that holder, and may still be renewed by it.
func (r *Roster) lives(name, holder string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.members[name]
	return e != nil && e.Identity == clip(holder) && e.state(r.clock.Now()) != Expired
}
