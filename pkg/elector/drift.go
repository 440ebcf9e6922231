package elector

import (
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// driftTolerance is how far clocks may move against each other, beyond a round trip, before the boot clock is
// suspected of having stood still.
const driftTolerance = 2 * time.Second

// drift watches for pauses that the boot clock does not show (a virtual machine stopped with all its clocks): it
// compares the boot clock with the wall clock and with the store's own.
type drift struct {
	wallSet, dateSet bool
	wall             time.Duration // wall clock − boot clock
	date             time.Duration // store's clock − boot clock
	suspected        bool
}

// local notes the two local clocks and reports whether they have moved against each other since the last look.
func (d *drift) local(now moment) bool {
	offset := sinceEpoch(now.wall) - time.Duration(now.boot)
	moved := d.wallSet && (offset-d.wall).Abs() > driftTolerance
	d.wall, d.wallSet = offset, true
	if moved {
		d.suspected = true
	}
	return moved
}

// remote notes the date of an answer to a request sent at sent. It reports whether the date moved against the boot
// clock, and whether that confirms an earlier suspicion. A date that agrees clears the suspicion.
func (d *drift) remote(now moment, sent bootclock.Instant, date time.Time) (moved, confirmed bool) {
	if date.IsZero() {
		return false, false
	}
	offset := sinceEpoch(date) - time.Duration(now.boot)
	moved = d.dateSet && (offset-d.date).Abs() > driftTolerance+now.boot.Sub(sent)
	confirmed = moved && d.suspected
	d.suspected = moved && !confirmed
	if !moved || confirmed {
		d.date, d.dateSet = offset, true // keep the old baseline under suspicion: the next answer decides
	}
	return moved, confirmed
}

// settle takes the present clocks for good: a candidate that does not lead has nothing to lose by a pause.
func (d *drift) settle() { d.dateSet, d.suspected = false, false }

func sinceEpoch(t time.Time) time.Duration { return time.Duration(t.UnixNano()) }
