//go:build linux

package harness

import (
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lease-sidecar/lease-sidecar/internal/guard/guardtest"
)

// parallelTests is how many tests run at once unless -parallel says otherwise: they wait much more than they
// compute, so the number of processors would be far too few.
const parallelTests = "8"

// shared is the cluster that all tests of the process use, in a directory that Main removes.
var shared struct {
	sync.Once
	dir     string
	cluster *Cluster
	err     error
}

func startShared() {
	if shared.dir, shared.err = os.MkdirTemp("", "lease-sidecar-integration-"); shared.err == nil {
		shared.cluster, shared.err = newCluster(context.Background(), shared.dir)
	}
}

// newCluster starts a cluster with an authority of its own.
func newCluster(ctx context.Context, dir string, apiFlags ...string) (*Cluster, error) {
	authority, err := NewPKI(dir)
	if err != nil {
		return nil, err
	}
	return NewCluster(ctx, dir, authority, apiFlags...)
}

// Main runs the tests of a package and ends what they share. TestMain calls it and exits with what it returns.
func Main(m *testing.M) int {
	guardtest.DefaultSignals()
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", parallelTests)
	}
	defer func() {
		if shared.cluster != nil {
			shared.cluster.Stop()
		}
		_ = os.RemoveAll(shared.dir)
	}()
	return m.Run()
}

// MainWithoutLeaks is Main for a package whose tests leave no goroutine. So many of them run at once, unless -parallel says otherwise.
func MainWithoutLeaks(m *testing.M, atOnce string) int {
	_ = flag.Set("test.parallel", atOnce) // the command line, parsed after it, wins
	code := Main(m)
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	return code
}

// Shared returns the cluster that all tests of the process use at once, each in a namespace of its own.
func Shared(t testing.TB) *Cluster {
	t.Helper()
	shared.Do(startShared)
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	t.Cleanup(func() { shared.cluster.showLogs(t, true) })
	return shared.cluster
}

// Start returns a cluster of the test's own, for tests that stop it, count all its requests, or give the API server
// more flags.
func Start(t testing.TB, apiFlags ...string) *Cluster {
	t.Helper()
	c, err := newCluster(t.Context(), t.TempDir(), apiFlags...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.showLogs(t, false)
		c.Stop()
	})
	return c
}

// Within waits until holds says yes, asking it again and again with a pause, and reports whether it has within bound. It
// asks once at least.
func Within(bound, pause time.Duration, holds func() bool) bool {
	for deadline := time.Now().Add(bound); !holds(); time.Sleep(pause) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// look is the pause between two looks of Eventually and Throughout.
const look = 10 * time.Millisecond

// Eventually waits until holds says yes, and ends the test where it has not within bound.
func Eventually(t testing.TB, bound time.Duration, what string, holds func() bool) {
	t.Helper()
	if !Within(bound, look, holds) {
		t.Fatalf("not within %v: %s", bound, what)
	}
}

// Throughout watches for the whole of span that holds says yes, and ends the test at the first no.
func Throughout(t testing.TB, span time.Duration, what string, holds func() bool) {
	t.Helper()
	if Within(span, look, func() bool { return !holds() }) {
		t.Fatalf("not so for %v: %s", span, what)
	}
}

// Rank returns the least value that at least that share of all does not exceed, 0 where there are none: the median is that of
// 0.5, the longest that of 1.
func Rank(values []time.Duration, share float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	values = slices.Sorted(slices.Values(values))
	return values[max(0, int(math.Ceil(share*float64(len(values))))-1)]
}
