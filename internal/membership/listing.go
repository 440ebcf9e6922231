package membership

import "github.com/lease-sidecar/lease-sidecar/pkg/lease"

// listing is a list in progress: what it does not name is gone.
type listing struct {
	roster *Roster
	named  map[string]bool
}

func (r *Roster) list() *listing {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ignored = 0
	clear(r.unkept)
	return &listing{r, map[string]bool{}}
}

// add takes a member of the list. A list shows that the Lease has changed, but not when: it proves nothing new of a member.
func (l *listing) add(m lease.Member) {
	r := l.roster
	one, err := parse(r.cfg.Lease, m)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.ignored++
		return
	}
	l.named[one.Lease] = true
	now := r.clock.Now()
	known := r.members[one.Lease]
	switch {
	case known == nil:
		r.put(entry{Member: one, first: r.clock.Wall()}, now)
	case known.UID == one.UID && known.Version == one.Version:
	default:
		next := *known
		if known.state(now) == Expired || known.Identity != one.Identity {
			next.proven, next.first = 0, r.clock.Wall()
		}
		next.Member = one
		r.put(next, now)
	}
}

// done ends a list that was made at that version. A store that counts lower than before was restored: what was known is void.
func (l *listing) done(version lease.Version) {
	r := l.roster
	r.mu.Lock()
	defer r.mu.Unlock()
	for name := range r.members {
		if !l.named[name] {
			delete(r.members, name)
		}
	}
	r.highest, r.last, r.listed = version, r.clock.Now(), true
	r.tell()
}
