package elector

import "time"

// driftTolerance is how far the wall clock may move against the boot clock before the boot clock is suspected of having
// stood still.
const driftTolerance = 2 * time.Second

// drift watches for pauses that the boot clock does not show (a virtual machine stopped with all its clocks): after one
// the wall clock is set. The clocks are compared at every step, and a leader steps at least once in a renew interval. A
// renewal that succeeds proves that nobody has taken the Lease; the store's own date proves nothing, as the servers behind
// one address may differ.
type drift struct {
	set    bool
	offset time.Duration // wall clock − boot clock
}

// moved notes the two clocks and reports whether they have moved against each other since the last look.
func (d *drift) moved(now moment) bool {
	offset := time.Duration(now.wall.UnixNano()) - time.Duration(now.boot)
	moved := d.set && (offset-d.offset).Abs() > driftTolerance
	d.offset, d.set = offset, true
	return moved
}
