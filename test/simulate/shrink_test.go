//go:build linux

package simulate

import (
	"slices"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/test/simulate/fleet"
)

// explain reduces a plan that fails, prints what is left, its transcript, and how to run it again.
func explain(t *testing.T, p fleet.Plan) {
	small := shrink(p, 150, func(p fleet.Plan) bool { return fleet.Play(t, p, fleet.Counts).Failed() })
	r := fleet.Play(t, small, fleet.Everything)
	t.Logf("reduced to:\n%s\nwhat goes wrong:\n%s\ntranscript:\n%s\nrepeat the whole of it: go test ./test/simulate -run TestSimulation -seed %d -v",
		small, r, r.Transcript, p.Seed)
}

// shrink returns the smallest plan that it finds, within so many runs, that still fails. First it leaves out faults in ever
// smaller groups, then candidates that no fault is for, then the time after the last fault.
func shrink(p fleet.Plan, runs int, fails func(fleet.Plan) bool) fleet.Plan {
	try := func(q fleet.Plan) bool {
		if runs == 0 {
			return false
		}
		runs--
		return fails(q)
	}
	for group := max(len(p.Faults)/2, 1); ; group /= 2 {
		for at := 0; at < len(p.Faults); {
			q := p
			q.Faults = slices.Delete(slices.Clone(p.Faults), at, min(at+group, len(p.Faults)))
			if try(q) {
				p = q
			} else {
				at += group
			}
		}
		if group <= 1 {
			break
		}
	}
	for len(p.Slots) > 2 {
		q := p
		last := len(p.Slots) - 1
		q.Slots = p.Slots[:last:last]
		if slices.ContainsFunc(p.Faults, func(f fleet.Fault) bool { return f.Target == last }) || !try(q) {
			break
		}
		p = q
	}
	if n := len(p.Faults); n > 0 {
		q := p
		q.End = min(p.End, p.Faults[n-1].At+p.Faults[n-1].Length+p.Duration)
		if try(q) {
			p = q
		}
	}
	return p
}
