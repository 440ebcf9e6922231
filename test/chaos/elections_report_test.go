//go:build linux

package chaos

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
	"github.com/lease-sidecar/lease-sidecar/test/workload/journal"
)

// Report is what a run comes to.
type Report struct {
	// Seed and the three after it make the run again.
	Seed                    uint64
	Duration, LeaseDuration Seconds
	Gentle                  bool
	// Faults counts them by kind.
	Faults map[Kind]int
	// Ours and Theirs are the figures of the two sides.
	Ours, Theirs Side
	// WorkOnWaking is work of a program whose whole pod woke from a freeze, before it was killed.
	WorkOnWaking Spread
}

// report ends the watch and reckons.
func (f *contest) report(t *testing.T, plan Plan, began time.Time) Report {
	t.Helper()
	end, ended := now(), time.Now()
	f.ourWitness.Stop()
	f.theirWitness.Stop()
	report := Report{
		Seed: plan.Seed, Duration: Seconds(*duration), LeaseDuration: Seconds(plan.D), Gentle: plan.Gentle, Faults: map[Kind]int{},
	}
	var ourNames, theirNames []string
	var ourEvents, theirEvents []event
	for i := range candidates {
		ourNames, theirNames = append(ourNames, ourName(i)), append(theirNames, theirName(i))
	}
	for _, e := range f.all() {
		report.Faults[e.kind]++
		ourEvents = append(ourEvents, e)
		if !e.ours {
			theirEvents = append(theirEvents, e)
		}
	}
	var waking []time.Duration
	for i, folder := range f.journals {
		terms, woken, err := worked(folder, ourName(i), spansOf(ourEvents, i, Stopped, PodFrozen))
		if err != nil {
			t.Error(err)
		}
		for _, term := range terms {
			f.ourWitness.AddTerm(term)
		}
		waking = append(waking, woken...)
	}
	report.Ours = newAccount(f.ourWitness, "state", ourNames, ourEvents, plan.D, end).Judge("ours")
	report.Theirs = newAccount(f.theirWitness, "", theirNames, theirEvents, plan.D, end).Judge("client-go's elector v0.37, ReleaseOnCancel")
	report.WorkOnWaking = spreadOf(waking)
	report.Ours.RequestsPerSecond = f.requestRate(t, f.ours, began, ended)
	report.Theirs.RequestsPerSecond = f.requestRate(t, f.theirs, began, ended)
	if twice := harness.Overlaps(f.ourWitness.Terms("")); len(twice) > 0 {
		t.Logf("the longest of ours: %v", slices.MaxFunc(twice, func(a, b harness.Overlap) int { return cmp.Compare(a.Span, b.Span) }))
	}
	return report
}

// faults returns a line for each figure that must not be.
func (r Report) faults() []string {
	var found []string
	if r.Ours.Overlaps.Count > 0 {
		found = append(found, fmt.Sprintf("two of ours led at once: %v", r.Ours.Overlaps))
	}
	found = append(found, r.Ours.TokenFalls...)
	if !r.Ours.LeadsAtEnd {
		found = append(found, "none of ours leads in the end")
	}
	return found
}

// worked reads what a replica's programs wrote down in a folder, and divides it into terms and what they did on waking with
// their frozen pod.
func worked(folder, replica string, frozen []span) (terms []harness.Term, waking []time.Duration, err error) {
	programs, err := journal.Read(folder)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range programs {
		for _, s := range p.Stretches {
			if onWaking(s, frozen) {
				waking = append(waking, s.To.Sub(s.From))
				continue
			}
			terms = append(terms, harness.Term{Replica: replica, Channel: "program", Token: s.Token, From: s.From, To: s.To})
		}
	}
	return terms, waking, nil
}
