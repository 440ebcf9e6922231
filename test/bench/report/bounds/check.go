// Package bounds holds the bounds that a run of the benchmarks must keep on any machine, and compares a run with them. Bounds are
// ratios of subjects of one run, and orders; they are wide, about twice what was measured. A duration or a rate has a bound of its own
// only where no machine may exceed it: budgets of requests and of memory, and times that a rule gives.
package bounds

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"github.com/lease-sidecar/lease-sidecar/test/bench/report/catalog"
	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
)

// Bound is a limit of a figure that fails the check.
type Bound struct {
	// Figure is the ID of the figure.
	Figure string
	catalog.Limit

	// Least is how many samples there must be, of each subject that the limit names; 0 counts as 1.
	Least int
	// Why says where the bound comes from.
	Why string
}

// Check compares the run with the bounds, and writes a line for each. A bound whose figure is missing, or has too few samples, is broken.
// Where the bound names no place, each place of the figure is compared.
func Check(run result.Run, all []Bound, out io.Writer) error {
	if err := catalog.Check(run); err != nil {
		return err
	}
	broken := 0
	for _, b := range all {
		places := run.Places(b.Figure)
		if b.At != 0 || len(places) == 0 {
			places = []float64{b.At}
		}
		for _, at := range places {
			name := b.Figure
			if at != 0 {
				name += fmt.Sprintf(" at %g", at)
			}
			says := "ok"
			detail, err := b.judge(run, at)
			if err != nil {
				says, detail = "BROKEN", err.Error()
				broken++
			}
			if _, err := fmt.Fprintf(out, "%-6s  %s: %s: %s (%s)\n", says, name, b.Text, detail, b.Why); err != nil {
				return err
			}
		}
	}
	if broken > 0 {
		return fmt.Errorf("%d of the bounds are broken; the lines with BROKEN say which. On a machine with other work, repeat it", broken)
	}
	return nil
}

// judge returns the comparison as text, or an error where it breaks the bound.
func (b Bound) judge(run result.Run, at float64) (string, error) {
	for _, needed := range []struct {
		figure string
		who    result.Subject
	}{{b.Figure, cmp.Or(b.Of, result.Sidecar)}, {cmp.Or(b.Beside, b.Figure), b.Against}} {
		if needed.who == "" {
			continue
		}
		s, ok := run.Find(needed.figure, needed.who, at)
		switch {
		case !ok:
			return "", fmt.Errorf("%s was not measured", needed.who)
		case s.Count() < b.Least:
			return "", fmt.Errorf("%s has %d samples, want %d or more", needed.who, s.Count(), b.Least)
		}
	}
	verdict, got, want := b.Judge(run, b.Figure, at)
	switch verdict {
	case catalog.Met:
		return fmt.Sprintf("%.4g, at most %.4g", got, want), nil
	case catalog.Missed:
		return "", fmt.Errorf("%.4g, at most %.4g", got, want)
	default:
		return "", errors.New("nothing was measured")
	}
}
