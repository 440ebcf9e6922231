package elector

import (
	"errors"
	"log/slog"
	"maps"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/trouble"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// A candidate without a term at stake tries again quickly for a minute, then less and less often: an election that cannot have
// a leader costs at most 0.05 requests a second. The price: after an outage of minutes its end is noticed up to 27 s late, up to
// 56 s where the store refused writes alone, and rights that were granted late show after up to 80 s.
//
// Within that minute it tries every 2 to 2.5 s at most, about as often as a candidate of client-go's elector always does (2 to
// 4.4 s): after an outage the Lease is taken that much sooner.
const (
	quickFor      = time.Minute      // how long failures are taken for a short trouble
	mostDoublings = 2                // of the half second after the first failure, within that time
	mostPause     = 45 * time.Second // between attempts after that, of a write and the read that follows it
	mostReadPause = 22 * time.Second // the same of a read alone
	mostForbidden = 80 * time.Second // between attempts at what is forbidden
)

// effort is how long requests may take, and what has failed.
type effort struct {
	reads, writes time.Duration      // how long a request may take, as learned; zero: as configured
	nextTry       bootclock.Instant  // no read before then
	failures      map[verb]streak    // requests of each kind failed in a row
	troubles      map[verb]complaint // the last failure of each kind of request, as last logged
}

type streak struct {
	count int
	since bootclock.Instant
}

type complaint struct {
	trouble.Last
	text     string
	remindAt bootclock.Instant // when the same is logged again
}

// class is what the failure of a request says.
type class int

const (
	unknown   class = iota // nothing: whether the request was carried out is open
	lostRace               // somebody else wrote first: the store works
	forbidden              // the store does not allow it
)

func classify(err error) class {
	switch {
	case errors.Is(err, lease.ErrConflict), errors.Is(err, lease.ErrExists):
		return lostRace
	case errors.Is(err, lease.ErrForbidden):
		return forbidden
	}
	return unknown
}

// count counts a failure of that kind of request. A lost race shows that the store works, and ends the streak.
func (f *effort) count(now moment, v verb, c class) {
	if c == lostRace {
		delete(f.failures, v)
		return
	}
	s := f.failures[v]
	if s.count == 0 {
		s.since = now.boot
	}
	s.count++
	f.failures[v] = s
}

// worked takes the news that the store has carried out a write of ours: no failure before it belongs to a row of failures after it.
// A holder reads only where a write went wrong, so that no read of its own would end that row for as long as it leads.
func (f *effort) worked() { clear(f.failures) }

// workedForPeer takes the news that the store has carried out somebody else's write. Reads of ours may still fail.
func (f *effort) workedForPeer() {
	maps.DeleteFunc(f.failures, func(v verb, _ streak) bool { return v != verbGet })
}

// allowance returns how long a request of that kind may take if nothing else bounds it.
func (m *machine) allowance(v verb) time.Duration {
	if v == verbGet {
		return max(m.effort.reads, m.cfg.attempt())
	}
	return max(m.effort.writes, m.cfg.attempt())
}

// timeout returns how long a request that is sent now may take: as learned, and no longer than the term.
func (m *machine) timeout(now moment, v verb) time.Duration {
	d := m.allowance(v)
	if m.role != standby {
		d = min(d, m.term.validUntil.Sub(now.boot))
	}
	return d
}

// learn adjusts how long requests may take. A write that got no answer gets twice as long the next time, at most a renew
// deadline: an admission webhook that is out, or a slow disk under etcd, delays every write, and a limit below that delay
// would end the term. Reads, which no webhook delays, get at most twice the usual time. The limit is at least twice what the last
// answer took, also where nothing has been given up yet, and each answer takes back only an eighth of what was learned: the delays
// of a slow store differ, and the one after a short one must not be given up.
func (m *machine) learn(v verb, took time.Duration, answered bool) {
	limit, most := &m.effort.writes, m.cfg.RenewDeadline
	if v == verbGet {
		limit, most = &m.effort.reads, 2*m.cfg.attempt()
	}
	now := m.allowance(v)
	if answered {
		*limit = min(most, max(2*took, now-now/8))
		return
	}
	*limit = min(2*now, most)
}

// pause returns how long to leave the store alone after a failure of that kind: short while a term is at stake, ours, one to
// resume, or one that expired until others may take its Lease, a lease duration after its last version (not until notBefore, which
// an edited record may have put hours away); for a standby as [quickFor] says.
func (m *machine) pause(now moment, v verb) time.Duration {
	if m.role != standby || m.inherited != nil || m.regainable() && now.boot.Before(m.know.seenAt.Add(m.cfg.Duration)) {
		return between(200*time.Millisecond, 500*time.Millisecond, m.rand())
	}
	s := m.effort.failures[v]
	base := 500 * time.Millisecond << min(max(s.count-1, 0), mostDoublings)
	if age := now.boot.Sub(s.since); s.count > 0 && age > quickFor {
		most := mostPause
		if v == verbGet {
			most = mostReadPause
		}
		base = min(max(base, age/4), most)
		return between(base, base*5/4, m.rand())
	}
	return between(base, base+500*time.Millisecond, m.rand())
}

// forbiddenPause returns how long to leave alone what the store forbids: somebody must change the Role, which no watch
// shows, or make the Lease, which the watch shows.
func (m *machine) forbiddenPause(v verb) time.Duration {
	base := m.cfg.Duration / 3 << min(max(m.effort.failures[v].count-1, 0), 6)
	return min(base, max(mostForbidden, m.cfg.Duration/3))
}

// complain logs a failure when it is not the same as the last one of its kind, or that one was logged long ago. Of what is refused,
// [machine.remind] reminds; a lost race is no failure.
func (m *machine) complain(now moment, v verb, c class, err error) {
	if c == lostRace {
		m.debug("somebody else wrote the Lease first", slog.String("verb", string(v)))
		return
	}
	f := m.effort.troubles[v]
	if f.Changed(err) || c != forbidden && !now.boot.Before(f.remindAt) {
		f.text, f.remindAt = err.Error(), now.boot.Add(remindEvery)
		m.warn("RequestFailed", "a request for the Lease failed: trying again", slog.String("verb", string(v)), slog.Any("error", err))
	}
	m.effort.troubles[v] = f
}

// recovered notes that a request of that kind went well. Others may still fail: a store may answer reads and refuse writes.
func (m *machine) recovered(v verb) {
	delete(m.effort.failures, v)
	m.effort.nextTry = 0
	m.rights.grant(v)
	if _, failed := m.effort.troubles[v]; failed {
		delete(m.effort.troubles, v)
		m.info("RequestsRecovered", "requests for the Lease go well again", slog.String("verb", string(v)))
	}
}

// between returns a time drawn evenly from [low, high) by u in [0, 1).
func between(low, high time.Duration, u float64) time.Duration {
	return low + time.Duration(u*float64(high-low))
}
