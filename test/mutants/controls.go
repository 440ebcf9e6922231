package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// controls are the mutants that the simulation must find, so that its silence about the product means something: by two that
// lead or two at work, or where they are what the rule alone prevents, by a violation of that rule.
var controls = []struct{ name, finds string }{
	// the margin removed, compare and swap skipped, release before the stop, no hold on an absent Lease
	{"a renewal carries the term for the whole lease duration", overlaps},
	{"a write does not depend on the version", overlaps},
	{"the Lease is released before the workload has stopped", overlaps},
	{"an absent or empty Lease is taken at once", overlaps},
	{"a workload that is seen to run is not waited for", "I13"},
	{"what is seen no more was killed by validUntil", "I13"},
	{"a named successor takes a Lease that nobody released", overlaps},
	{"whose term expired takes the Lease of whoever holds it", overlaps},
	{"an inherited term is published at once", "I14"},
	{"the Lease is released though the hold on disk still leads", "I15"},
	{"a hold of another namespace, Lease, store or identity is believed", "I3"},
	{"the copy of a hold is believed", "I3"},
}

const overlaps = "overlaps"

// simulation is the test that passes under -expect where it has found what is expected.
var simulation = test{"test/simulate", "TestSimulation"}

// simulationTime bounds one control.
const simulationTime = "20m"

// control has the simulation look for the overlaps of the chosen controls, and prints what it counted.
func (t trier) control(ctx context.Context, chosen *regexp.Regexp, seeds int, out io.Writer) error {
	var missed, tried int
	for _, m := range all {
		at := slices.IndexFunc(controls, func(c struct{ name, finds string }) bool { return c.name == m.name })
		if at < 0 || !chosen.MatchString(m.name) {
			continue
		}
		tried++
		ran, err := t.simulate(ctx, m, seeds, controls[at].finds)
		if err != nil {
			return err
		}
		lines := ran.output[simulation.name]
		if verdict := ran.of(simulation.name); verdict == green { // it passes where it has found some
			lines = slices.DeleteFunc(lines, func(line string) bool {
				return !strings.HasPrefix(line, "found:") && !strings.Contains(line, ", largest ") && !strings.Contains(line, "VIOLATIONS")
			})
			_, _ = fmt.Fprintf(out, "%s\n", m.name)
		} else {
			missed++
			lines = append(lines, ran.rest...)
			_, _ = fmt.Fprintf(out, "%s\n    NOT SEEN; the simulation: %s\n", m.name, verdict)
		}
		for _, line := range lines {
			_, _ = fmt.Fprintf(out, "    %s\n", strings.TrimSpace(line))
		}
	}
	if missed > 0 || tried == 0 {
		return fmt.Errorf("the simulation saw nothing of %d in %d controls", missed, tried)
	}
	return nil
}

// simulate runs the simulation over seeds with m in the product.
func (t trier) simulate(ctx context.Context, m mutant, seeds int, finds string) (run, error) {
	flags, remove, err := m.overlay(t.root)
	if err != nil {
		return run{}, err
	}
	defer remove()
	return t.gotest(ctx, simulation.pkg, append(flags, "-run="+simulation.pattern(), "-timeout="+simulationTime, "-v"),
		[]string{"-seeds=" + strconv.Itoa(seeds), "-expect=" + finds})
}
