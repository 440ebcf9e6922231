//go:build linux

package chaos

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
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
func (f *field) report(t *testing.T, plan Plan, drawn uint64, began time.Time) Report {
	t.Helper()
	end := f.now()
	ended := time.Now()
	f.ourWitness.Stop()
	f.theirWitness.Stop()
	ours, theirs := Account{Events: f.ourEvents, Timing: TimingOf(plan.D)}, Account{Events: f.theirEvents, Timing: TimingOf(plan.D)}
	for i := range candidates {
		ours.Names, theirs.Names = append(ours.Names, ourName(i)), append(theirs.Names, theirName(i))
	}
	var waking []span
	for i, folder := range f.journals {
		terms, excused, err := worked(folder, ourName(i), ours.frozen(i))
		if err != nil {
			t.Error(err)
		}
		for _, term := range terms {
			f.ourWitness.AddTerm(term)
		}
		waking = append(waking, excused...)
	}
	ours.Leads, ours.Leads = f.ourWitness.Terms(""), f.ourWitness.Terms("state")
	theirs.Leads, theirs.Leads = f.theirWitness.Terms(""), f.theirWitness.Terms("")
	ours.watch(end)
	theirs.watch(end)
	report := Report{
		Seed: drawn, Duration: Seconds(*duration), LeaseDuration: Seconds(plan.D), Gentle: plan.Gentle, Faults: map[Kind]int{},
		Ours: ours.Judge("ours"), Theirs: theirs.Judge("client-go's elector v0.37, ReleaseOnCancel"), WorkOnWaking: spreadOf(lengthsOf(waking)),
	}
	for _, e := range f.ourEvents {
		report.Faults[e.Kind]++
	}
	report.Ours.RequestsPerSecond = f.requestRate(t, f.ours, began, ended)
	report.Theirs.RequestsPerSecond = f.requestRate(t, f.theirs, began, ended)
	if twice := harness.Overlaps(ours.Leads); len(twice) > 0 {
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

// publish prints the report, and writes it where the flag says.
func (r Report) publish(t *testing.T) {
	t.Helper()
	var text strings.Builder
	_, _ = fmt.Fprintf(&text, "seed %d, %v, D = %v, faults %v\n", r.Seed, r.Duration, r.LeaseDuration, r.Faults)
	r.Ours.print(&text)
	r.Theirs.print(&text)
	_, _ = fmt.Fprintf(&text, "work of a program as its frozen pod woke: %v\n", r.WorkOnWaking)
	t.Log(text.String())
	if *reportPath == "" {
		return
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = os.WriteFile(*reportPath, append(b, '\n'), 0o644)
	}
	if err != nil {
		t.Errorf("write the report: %v", err)
	}
}

// worked reads what a replica's programs wrote down in a folder, and divides it into terms and what they did on waking with
// their frozen pod.
func worked(folder, replica string, frozen []span) (terms []harness.Term, waking []span, err error) {
	programs, err := journal.Read(folder)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range programs {
		for _, s := range p.Stretches {
			if slices.ContainsFunc(frozen, func(f span) bool { return s.OnWaking(f.from, f.to) }) {
				waking = append(waking, span{s.From, s.To})
				continue
			}
			terms = append(terms, harness.Term{Replica: replica, Channel: "program", Token: s.Token, From: s.From, To: s.To})
		}
	}
	return terms, waking, nil
}
