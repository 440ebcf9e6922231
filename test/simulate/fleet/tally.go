//go:build linux

package fleet

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Tally counts what happened, in one world or in many.
type Tally struct {
	// Seeds is the number of worlds, Failed of those in which something was wrong, Terms of the terms of our candidates.
	Seeds, Failed, Terms int
	// Violations counts the violations of rules other than overlaps, by the rule's name.
	Violations map[string]int

	mixed     int // worlds with client-go's elector
	peerTerms int // client-go's
	handovers int // Leases released
	requests  int
	conflicts int
	renamed   int // processes that went on under a fresh identity
	regained  int // takes of a process's own term that had run out, before its expiry
	succeeded int // takes by the successor that the release named
	abandoned int // waits for a workload's stop that were given up
	virtual   time.Duration
	faults    map[string]int

	ours, beside, peers   overlapCount // leaders: among ours; ours and client-go's; client-go's among themselves
	working, pastDeadline overlapCount // at work; at work past the deadline of an app that nothing ends
}

type overlapCount struct {
	count, seeds int
	largest      time.Duration
}

// NewTally returns an empty tally.
func NewTally() Tally { return Tally{faults: map[string]int{}, Violations: map[string]int{}} }

// Overlaps returns how many pairs led or worked at one instant that must not.
func (t Tally) Overlaps() int { return t.ours.count + t.beside.count + t.working.count }

func (c *overlapCount) add(found []overlap) {
	for _, o := range found {
		c.count++
		c.largest = max(c.largest, o.length())
	}
	if len(found) > 0 {
		c.seeds++
	}
}

func (c *overlapCount) merge(o overlapCount) {
	c.count, c.seeds, c.largest = c.count+o.count, c.seeds+o.seeds, max(c.largest, o.largest)
}

func (c overlapCount) String() string {
	if c.count == 0 {
		return "0"
	}
	return fmt.Sprintf("%d in %d seeds, largest %v", c.count, c.seeds, c.largest.Round(time.Millisecond))
}

// Merge adds another world's counts.
func (t *Tally) Merge(o Tally) {
	t.Seeds, t.Failed, t.Terms = t.Seeds+o.Seeds, t.Failed+o.Failed, t.Terms+o.Terms
	t.mixed, t.peerTerms, t.handovers = t.mixed+o.mixed, t.peerTerms+o.peerTerms, t.handovers+o.handovers
	t.requests, t.conflicts, t.virtual = t.requests+o.requests, t.conflicts+o.conflicts, t.virtual+o.virtual
	t.renamed, t.abandoned = t.renamed+o.renamed, t.abandoned+o.abandoned
	t.succeeded, t.regained = t.succeeded+o.succeeded, t.regained+o.regained
	t.ours.merge(o.ours)
	t.beside.merge(o.beside)
	t.peers.merge(o.peers)
	t.working.merge(o.working)
	t.pastDeadline.merge(o.pastDeadline)
	for k, n := range o.faults {
		t.faults[k] += n
	}
	for k, n := range o.Violations {
		t.Violations[k] += n
	}
}

// Report returns the counts as a table.
func (t Tally) Report(wall time.Duration) string {
	var b strings.Builder
	row := func(what string, format string, args ...any) {
		fmt.Fprintf(&b, "  %-34s %s\n", what, fmt.Sprintf(format, args...))
	}
	row("seeds", "%d, %d of them with client-go's elector", t.Seeds, t.mixed)
	row("terms", "%d, and %d of client-go's", t.Terms, t.peerTerms)
	row("takeovers, handovers", "%d, %d", t.Terms-t.handovers, t.handovers)
	row("requests, conflicts", "%d, %d (%.2f a term)", t.requests, t.conflicts, float64(t.conflicts)/float64(max(t.Terms, 1)))
	row("takes by a named successor", "%d", t.succeeded)
	row("takes of one's own lapsed term", "%d", t.regained)
	row("stops given up, twins renamed", "%d, %d", t.abandoned, t.renamed)
	row("virtual time, wall time", "%v, %v", t.virtual.Round(time.Second), wall.Round(time.Second))
	row("two leaders", "%v", t.ours)
	row("two apps at work", "%v", t.working)
	row("at work past its deadline, unfenced", "%v (nothing ends such an app, and the log says so)", t.pastDeadline)
	row("ours beside client-go's", "%v", t.beside)
	row("client-go's beside client-go's", "%v (its own affair)", t.peers)
	if len(t.Violations) == 0 {
		row("violations of other rules", "0")
	}
	for _, k := range slices.Sorted(maps.Keys(t.Violations)) {
		row("VIOLATIONS of "+k, "%d", t.Violations[k])
	}
	row("seeds that failed", "%d", t.Failed)
	all := 0
	for _, n := range t.faults {
		all += n
	}
	row("faults", "%d", all)
	for _, k := range slices.Sorted(maps.Keys(t.faults)) {
		row("  "+k, "%d", t.faults[k])
	}
	return b.String()
}
