// Package catalog says what is measured: each figure of the benchmarks with its name, its unit, the test that measures it and the
// target that it has. The tables of docs/explanation/performance.md have a row for each; a figure that is not here is refused.
package catalog

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
)

// Section is a part of the page, with a table of its own.
type Section struct {
	// ID is the name of the section's table in the page's markers.
	ID string
	// Form is what its table looks like.
	Form Form
	// Figures are its rows.
	Figures []Figure
}

// Form is the form of a table.
type Form int

const (
	// Samples gives each subject of a figure a row: how many samples there are, and how they are spread.
	Samples Form = iota
	// Subjects gives each figure a row, and each subject a column.
	Subjects
	// Sweep gives each subject of a figure a row, and each place of the sweep a column.
	Sweep
)

// Figure is one quantity that is measured.
type Figure struct {
	// ID is the name in the results, such as "handover/total".
	ID string
	// Title names it in a table.
	Title string
	// What says in one sentence what is measured: from what, to what.
	What string
	// Unit is that of the values; "" for a count.
	Unit string
	// More is true where a greater value is the better one.
	More bool
	// At names what a sweep goes through, such as "replicas"; "" for a figure that is none.
	At string
	// Who is measured; nil for lease-sidecar and client-go.
	Who []result.Subject
	// Test is the name of the test in test/bench.
	Test string
	// Headline is true for what the first table of the page shows, too.
	Headline bool
	// Targets are what docs and CHANGELOG promise, or what the project has set itself.
	Targets []Limit
	// Reason says why a target is missed, in a sentence or two; "" where none is.
	Reason string
}

// Limit is a bound for a statistic of one subject: at most Max, plus Factor times a statistic of another subject of the same figure.
type Limit struct {
	// Text is the limit as people write it, such as "p99 ≤ 30 ms".
	Text string
	// Of is who is limited; "" for lease-sidecar.
	Of result.Subject
	// Share chooses the statistic: 0.5 is the median, 1 the greatest value.
	Share float64
	// Max is what is allowed at most, in the unit of the figure.
	Max float64
	// Factor times the same statistic of Against is allowed in addition; of the figure Beside, or of the same one where that is "".
	Factor  float64
	Against result.Subject
	Beside  string
	// At limits only that place of a sweep; 0 limits every place.
	At float64
}

// Verdict is what came of a limit.
type Verdict int

// The verdicts.
const (
	NotMeasured Verdict = iota
	Met
	Missed
)

// Judge compares a figure of a run, at one place of its sweep, with the limit. It returns the value and what it may be, too.
func (l Limit) Judge(run result.Run, figure string, at float64) (verdict Verdict, got, want float64) {
	s, ok := run.Find(figure, cmp.Or(l.Of, result.Sidecar), at)
	if !ok {
		return NotMeasured, 0, 0
	}
	want = l.Max
	if l.Against != "" {
		other, ok := run.Find(cmp.Or(l.Beside, figure), l.Against, at)
		if !ok {
			return NotMeasured, 0, 0
		}
		want += l.Factor * other.Rank(l.Share)
	}
	if got = s.Rank(l.Share); got > want {
		return Missed, got, want
	}
	return Met, got, want
}

// Subjects returns who is to be measured.
func (f Figure) Subjects() []result.Subject {
	if f.Who == nil {
		return []result.Subject{result.Sidecar, result.ClientGo}
	}
	return f.Who
}

// Pair returns the two subjects of the figure that are compared: at their defaults, or both with a lease duration of 5 s.
func (f Figure) Pair() (ours, theirs result.Subject) {
	if slices.Contains(f.Subjects(), result.Short) && !slices.Contains(f.Subjects(), result.Sidecar) {
		return result.Short, result.Tuned
	}
	return result.Sidecar, result.ClientGo
}

// Command returns the command that measures the figure.
func (f Figure) Command() string { return "make bench BENCH_RUN=" + f.Test }

// All returns the sections in the order of the page.
func All() []Section {
	return []Section{
		handover(), takeover(), signals(), availability(), requests(), idle(), idleWays(), outage(), outageWays(), node(), server(), streams(),
		candidates(), elections(), slopes(),
	}
}

// Find returns the figure with that name, and whether there is one.
func Find(id string) (Figure, bool) {
	for _, section := range All() {
		for _, f := range section.Figures {
			if f.ID == id {
				return f, true
			}
		}
	}
	return Figure{}, false
}

// Tests returns the names of the tests that measure something, each once.
func Tests() []string {
	var all []string
	for _, section := range All() {
		for _, f := range section.Figures {
			if !slices.Contains(all, f.Test) {
				all = append(all, f.Test)
			}
		}
	}
	return all
}

// Check returns an error for a series of the run that the catalog does not know, or that has another unit.
func Check(run result.Run) error {
	for _, s := range run.Series {
		f, known := Find(s.Figure)
		switch {
		case !known:
			return fmt.Errorf("figure %s is not in the catalog: give it an entry in test/bench/report/catalog", s.Figure)
		case f.Unit != s.Unit:
			return fmt.Errorf("figure %s is measured in %q, and in %q by the catalog", s.Figure, s.Unit, f.Unit)
		case (f.At == "") != (s.At == 0):
			return fmt.Errorf("figure %s at %g: by the catalog it is measured at %q", s.Figure, s.At, f.At)
		}
	}
	return nil
}

func p50(most float64, text string) Limit { return Limit{Text: text, Share: .5, Max: most} }
func p99(most float64, text string) Limit { return Limit{Text: text, Share: .99, Max: most} }
