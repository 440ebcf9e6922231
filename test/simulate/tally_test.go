//go:build linux

package simulate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// tally counts what happened, in one world or in many.
type tally struct {
	seeds, mixed     int
	terms, peerTerms int // that ours, and client-go's, were told of
	takes            int // attempts to take the Lease
	handovers        int // Leases released
	requests         int
	conflicts        int
	renamed          int // processes that went on under a fresh identity
	abandoned        int // waits for a workload's stop that were given up
	virtual          time.Duration
	faults           map[string]int

	told, work, beside, peers overlapCount // among ours; at work; ours and client-go's; client-go's among themselves
	excused                   overlapCount // at work, past the deadline of an app that nothing ends
	violations                map[string]int
	failed                    int // seeds
}

type overlapCount struct {
	count, seeds int
	largest      time.Duration
}

func newTally() tally { return tally{faults: map[string]int{}, violations: map[string]int{}} }

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

// merge adds another world's counts.
func (t *tally) merge(o tally) {
	t.seeds, t.mixed = t.seeds+o.seeds, t.mixed+o.mixed
	t.terms, t.peerTerms, t.takes, t.handovers = t.terms+o.terms, t.peerTerms+o.peerTerms, t.takes+o.takes, t.handovers+o.handovers
	t.requests, t.conflicts, t.virtual, t.failed = t.requests+o.requests, t.conflicts+o.conflicts, t.virtual+o.virtual, t.failed+o.failed
	t.told.merge(o.told)
	t.work.merge(o.work)
	t.beside.merge(o.beside)
	t.peers.merge(o.peers)
	t.excused.merge(o.excused)
	t.abandoned += o.abandoned
	t.renamed += o.renamed
	for k, n := range o.faults {
		t.faults[k] += n
	}
	for k, n := range o.violations {
		t.violations[k] += n
	}
}

// report prints the counts as one block.
func (t tally) report(wall time.Duration) string {
	var b strings.Builder
	row := func(what string, format string, args ...any) {
		fmt.Fprintf(&b, "  %-34s %s\n", what, fmt.Sprintf(format, args...))
	}
	row("seeds", "%d, %d of them with client-go's elector", t.seeds, t.mixed)
	row("terms", "%d, and %d of client-go's", t.terms, t.peerTerms)
	row("takeovers, handovers", "%d, %d", t.terms-t.handovers, t.handovers)
	row("requests, conflicts", "%d, %d (%.2f a term)", t.requests, t.conflicts, float64(t.conflicts)/float64(max(t.terms, 1)))
	row("stops given up, twins told apart", "%d, %d", t.abandoned, t.renamed)
	row("virtual time, wall time", "%v, %v", t.virtual.Round(time.Second), wall.Round(time.Second))
	row("two told to lead", "%v", t.told)
	row("two apps at work", "%v", t.work)
	row("at work past its deadline, unfenced", "%v (nothing ends such an app, and the log says so)", t.excused)
	row("ours beside client-go's", "%v", t.beside)
	row("client-go's beside client-go's", "%v (its own affair)", t.peers)
	if len(t.violations) == 0 {
		row("violations of other rules", "0")
	}
	for _, k := range slices.Sorted(maps.Keys(t.violations)) {
		row("VIOLATIONS of "+k, "%d", t.violations[k])
	}
	row("seeds that failed", "%d", t.failed)
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
