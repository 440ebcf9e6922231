package elector

import (
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// lapse is what becomes of a term of this process that expired while it led, as in an outage of the store. Its Lease may be taken
// again at once, without the wait of I3, for as long as nobody else can have led since:
//
//   - The record is a write of this process, and was read so soon after it was sent that nobody can have waited a lease duration
//     since the store took it. Somebody else's term would be a write between, and a record that was put back over it comes later.
//   - The take is conditional on that very version: where somebody has taken the Lease meanwhile, it fails.
//
// So the last workload that may still work is this candidate's own. It is worth one take that the store may have carried out: a
// candidate whose writes all come too late must not keep the Lease from the others.
type lapse struct {
	over bool // such a term has run out, and its Lease was not taken again
	ours bool // the record that is known is such a write
}

// endTerm ends a term that expired. A read then shows whether the Lease is still ours.
func (m *machine) endTerm(moment) {
	m.lapse.over = m.role == leading
	m.becomeStandby(renewDeadlineExceeded, "the term expired: no renewal was answered in time")
	if m.lapse.over {
		m.getDue, m.effort.nextTry = true, 0
	}
}

// see judges a record that was just read.
func (l *lapse) see(now moment, r lease.Record, identity string, sentAt bootclock.Instant, sent bool, soonest time.Duration) {
	l.ours = sent && r.Holder == identity && now.boot.Before(sentAt.Add(soonest))
	l.over = l.over && l.ours
}

// regainable reports whether the Lease is that of a term of this process that has run out, and nobody can have led since.
func (m *machine) regainable() bool {
	return m.lapse.over && m.lapse.ours && m.know.present
}
