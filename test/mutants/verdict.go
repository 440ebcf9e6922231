package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// verdict is how a named test ended.
type verdict string

const (
	green     verdict = "green"
	red       verdict = "red"
	unbuilt   verdict = "does not compile"
	unrun     verdict = "did not run"
	panicked  verdict = "panicked"
	timeless  verdict = "ran out of time"
	skipped   verdict = "was skipped"
	outputMax         = 1 << 20 // bytes in a line of the go command's output
)

// event is a line of the go command's -json output.
type event struct {
	Action, Package, Test, Output string
}

// run is what one go test command did.
type run struct {
	ended   map[string]verdict // by test, as the go command names it
	output  map[string][]string
	built   bool
	panic   bool
	timeout bool
	rest    []string // what belongs to no test: what the compiler says, a panic
}

// readRun reads the -json output of a go test command for one package.
func readRun(r io.Reader) (run, error) {
	got := run{ended: map[string]verdict{}, output: map[string][]string{}, built: true}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, outputMax)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			got.rest = append(got.rest, lines.Text()) // a line that go did not make into an event
			continue
		}
		got.take(e)
	}
	if err := lines.Err(); err != nil {
		return run{}, fmt.Errorf("read the go command's output: %w", err)
	}
	return got, nil
}

func (r *run) take(e event) {
	switch e.Action {
	case "build-fail":
		r.built = false
	case "build-output":
		r.rest = append(r.rest, strings.TrimRight(e.Output, "\n"))
	case "output":
		r.hear(e)
	case "pass":
		r.ended[e.Test] = green
	case "fail":
		r.ended[e.Test] = red
	case "skip":
		r.ended[e.Test] = skipped
	}
}

func (r *run) hear(e event) {
	line := strings.TrimRight(e.Output, "\n")
	switch {
	case strings.HasPrefix(line, "panic: test timed out"):
		r.timeout = true
	case strings.HasPrefix(line, "panic: "), strings.HasPrefix(line, "fatal error: "), strings.Contains(line, "[rapid] panic"):
		r.panic = true
	}
	if e.Test == "" {
		r.rest = append(r.rest, line)
		return
	}
	r.output[e.Test] = append(r.output[e.Test], line)
}

// of returns how the test of that name ended. A failure counts as red only where nothing else explains it.
func (r *run) of(name string) verdict {
	v, ended := r.ended[name]
	switch {
	case !r.built:
		return unbuilt
	case r.timeout:
		return timeless
	case r.panic:
		return panicked
	case !ended:
		return unrun
	}
	return v
}

// text returns the first line that the test said for itself, or else one of its subtests, or else the first of anything.
func (r *run) text(name string) string {
	lines := r.output[name]
	for _, other := range slices.Sorted(maps.Keys(r.output)) {
		if strings.HasPrefix(other, name+"/") && r.ended[other] == red {
			lines = append(lines, r.output[other]...)
		}
	}
	for _, line := range append(lines, r.rest...) {
		line = strings.TrimSpace(line)
		if line != "" && !slices.ContainsFunc(furniture, func(p string) bool { return strings.HasPrefix(line, p) }) {
			return line
		}
	}
	return ""
}

// furniture begins the lines that the testing package prints by itself.
var furniture = []string{"===", "---", "#", "FAIL", "PASS", "ok "}
