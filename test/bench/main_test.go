//go:build linux

package bench

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

var (
	idleSpan   = flag.Duration("for", 0, "how long the idle candidates are watched; 0: 5m, with -short 12s")
	outageSpan = flag.Duration("outage", 0, "how long the API server is away then; 0: 2m, with -short 12s")
	fleetSpan  = flag.Duration("fleet", 0, "how long the requests of idle fleets are counted; 0: 30s, with -short 9s")
	loadSpan   = flag.Duration("load", 0, "how long each number of HTTP clients asks; 0: 5s, with -short 1.5s")
	streams    = flag.Int("streams", 0, "how many event streams are opened on one sidecar; 0: 1000")
	probed     = flag.Bool("probes", false, "ask the sidecars as the kubelet does each 10 s, and as Prometheus does each 30 s")
	results    = flag.String("results", "", "the file to which the figures are appended, for the report")
	handovers  = flag.Int("handovers", 50, "how many handovers of each fleet TestSuccession times")
)

func TestMain(m *testing.M) {
	if os.Getenv(receiver) != "" {
		os.Exit(receive())
	}
	if os.Getenv(byHand) != "" {
		if err := workByHand(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(harness.Main(m))
}

// record prints a series, and keeps it for the report.
func record(t *testing.T, s result.Series) {
	t.Helper()
	s.Time = time.Now().UTC().Truncate(time.Second)
	t.Logf("%s, %s%s: %d values: p50 %.3f, p90 %.3f, p99 %.3f, max %.3f %s", s.Figure, s.Subject, at(s), len(s.Values),
		s.Rank(.5), s.Rank(.9), s.Rank(.99), s.Rank(1), s.Unit)
	if *results == "" {
		return
	}
	if err := result.Append(*results, s); err != nil {
		t.Fatal(err)
	}
}

func at(s result.Series) string {
	if s.At == 0 {
		return ""
	}
	return fmt.Sprintf(" at %g", s.At)
}

// build is one program that runs as a sidecar.
type build struct {
	name, path string
	subject    result.Subject
}

// builds returns what is to be measured: the sidecar as it is shipped, and what SIDECAR_BEFORE names.
func builds(t *testing.T) []build {
	t.Helper()
	all := []build{{"this", harness.ShippedBinary(t), result.Sidecar}}
	if before := harness.BeforeBinary(); before != "" {
		all = append(all, build{"before", before, result.Before})
	}
	return all
}

func milliseconds(all []time.Duration) []float64 {
	values := make([]float64, len(all))
	for i, d := range all {
		values[i] = float64(d) / float64(time.Millisecond)
	}
	return values
}
