// Package result is the format of measured figures: the benchmarks write it, and the report and the check of bounds read it.
//
// A file of results holds one JSON object a line: a [Series], or the [Machine] of a run. Several programs may append to one file.
package result

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// Subject is who was measured.
type Subject string

// The subjects.
const (
	Sidecar  Subject = "lease-sidecar"          // this code, at its defaults: 15 s, 10 s, 3 s
	Before   Subject = "lease-sidecar, before"  // another build of it: SIDECAR_BEFORE
	ClientGo Subject = "client-go"              // client-go's elector at its defaults: 15 s, 10 s, 2 s, ReleaseOnCancel
	Tuned    Subject = "client-go 5/3/1"        // the same with 5 s, 3 s, 1 s
	Short    Subject = "lease-sidecar 5/3.33/1" // this code with a lease duration of 5 s, for a comparison with Tuned
	Floor    Subject = "floor"                  // the requests that nobody can avoid, sent by hand to the same server
)

// Subjects are all subjects, in the order in which a table shows them.
var Subjects = []Subject{Sidecar, ClientGo, Short, Tuned, Before, Floor}

// Series is what was measured of one subject: samples, or a single value.
type Series struct {
	// Figure names what was measured, by a path such as "handover/total".
	Figure string `json:"figure"`
	// Subject is who was measured.
	Subject Subject `json:"subject"`
	// Unit is that of Values: "ms", "s", "MiB", "% of a core", "1/s" or "" for a count.
	Unit string `json:"unit"`
	// At is the place of the series in a sweep, such as the number of replicas; 0 where there is none.
	At float64 `json:"at,omitempty"`
	// Values are the samples, in the order in which they were taken.
	Values []float64 `json:"values"`
	// Of is how many samples there were where Values are a selection of them (see Thin); 0 where they are all.
	Of int `json:"of,omitempty"`
	// Note is what a reader has to know of these values, as part of a sentence; mostly empty.
	Note string `json:"note,omitempty"`
	// Time is when the series was written.
	Time time.Time `json:"time"`
}

// Count returns how many samples there were.
func (s Series) Count() int { return max(s.Of, len(s.Values)) }

// Rank returns the smallest value that is not below that share of the values (0.5: the median; 1: the greatest).
func (s Series) Rank(share float64) float64 {
	if len(s.Values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s.Values))
	return sorted[max(0, min(len(sorted)-1, int(share*float64(len(sorted))+0.999999)-1))]
}

// Sum returns the sum of the values.
func (s Series) Sum() float64 {
	sum := 0.0
	for _, v := range s.Values {
		sum += v
	}
	return sum
}

// Append adds the series to the file at path, and makes the file where there is none.
func Append(path string, all ...Series) error {
	lines := make([]any, len(all))
	for i, s := range all {
		lines[i] = s
	}
	return appendLines(path, lines...)
}

func appendLines(path string, lines ...any) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open the results: %w", err)
	}
	for _, one := range lines {
		line, err := json.Marshal(one)
		if err != nil {
			return errors.Join(fmt.Errorf("encode %+v: %w", one, err), f.Close())
		}
		if _, err := f.Write(append(line, '\n')); err != nil {
			return errors.Join(fmt.Errorf("write the results: %w", err), f.Close())
		}
	}
	return f.Close()
}
