package membership

import (
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
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
	spared bootclock.Instant // its Lease is not deleted before then: a deletion has failed
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
