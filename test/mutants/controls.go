package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// controls are the mutants whose overlaps the simulation must find, so that its silence about the product means
// something: the margin removed, compare and swap skipped, release before the stop, no hold on an absent Lease.
var controls = []string{
	"a renewal carries the term for the whole lease duration",
	"a write does not depend on the version",
	"the Lease is released before the workload has stopped",
	"an absent or empty Lease is taken at once",
}

// simulation is the test that passes under -expect=overlaps where it has found some.
var simulation = test{"test/simulate", "TestSimulation"}

// simulationTime bounds one control.
const simulationTime = "20m"

// control has the simulation look for the overlaps of the chosen controls, and prints what it counted.
func (t trier) control(ctx context.Context, chosen *regexp.Regexp, seeds int, out io.Writer) error {
	var missed, tried int
	for _, m := range all {
		if !slices.Contains(controls, m.name) || !chosen.MatchString(m.name) {
			continue
		}
		tried++
		ran, err := t.simulate(ctx, m, seeds)
		if err != nil {
			return err
		}
		words := ran.output[simulation.name]
		if verdict := ran.of(simulation.name); verdict == green { // it passes where it has found some
			words = slices.DeleteFunc(words, func(line string) bool {
				return !strings.HasPrefix(line, "found:") && !strings.Contains(line, ", largest ")
			})
			_, _ = fmt.Fprintf(out, "%s\n", m.name)
		} else {
			missed++
			words = append(words, ran.rest...)
			_, _ = fmt.Fprintf(out, "%s\n    NOT SEEN; the simulation: %s\n", m.name, verdict)
		}
		for _, line := range words {
			_, _ = fmt.Fprintf(out, "    %s\n", strings.TrimSpace(line))
		}
	}
	if missed > 0 || tried == 0 {
		return fmt.Errorf("the simulation saw nothing of %d in %d controls", missed, tried)
	}
	return nil
}

// simulate runs the simulation over seeds with m in the product.
func (t trier) simulate(ctx context.Context, m mutant, seeds int) (run, error) {
	dir, err := os.MkdirTemp("", "lease-sidecar-control-*")
	if err != nil {
		return run{}, fmt.Errorf("make room for the control: %w", err)
	}
	defer os.RemoveAll(dir)
	overlay, err := m.overlay(t.root, dir)
	if err != nil {
		return run{}, err
	}
	return t.gotest(ctx, simulation.pkg, []string{"-run=" + simulation.pattern(), "-timeout=" + simulationTime, "-v", "-overlay=" + overlay},
		[]string{"-seeds=" + strconv.Itoa(seeds), "-expect=overlaps"})
}
