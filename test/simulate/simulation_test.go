//go:build linux

//go:debug randseednop=0

// Package simulate runs the simulated fleets of package fleet over many seeds, and asserts that nothing goes wrong in
// any of them. See package fleet for what is simulated, what is real and what is judged.
//
// A plan that fails is reduced to the faults that matter and printed with its transcript. Run it at length, or one seed with its
// transcript:
//
//	go test ./test/simulate -run TestSimulation -v -seeds=10000 -twice
//	go test ./test/simulate -run TestSimulation -v -seed=42
package simulate

import (
	"flag"
	"fmt"
	"runtime/debug"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lease-sidecar/lease-sidecar/test/simulate/fleet"
)

var (
	seeds    = flag.Int("seeds", 150, "how many worlds to run")
	first    = flag.Uint64("first", 1, "the first seed")
	oneSeed  = flag.Uint64("seed", 0, "run this seed alone; with -v its transcript is printed")
	shrinks  = flag.Bool("shrink", true, "reduce a plan that fails to the faults that matter")
	twice    = flag.Bool("twice", false, "run every world twice, with another number of processors, and compare all transcripts")
	hashed   = flag.Bool("hash", false, "print one hash over all transcripts, to compare with another run's")
	expected = flag.String("expect", "nothing", "what the run must find: nothing, overlaps, or violations of a rule by its name, such as I13")
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(400) // a world lives for milliseconds
	goleak.VerifyTestMain(m)
}

// TestSimulation runs many worlds and asserts that in none of them two candidates lead at one instant, two apps work
// at one instant, ours lead beside client-go's, or any other rule is broken. -seed N repeats a world.
func TestSimulation(t *testing.T) {
	if *oneSeed != 0 {
		simulateOne(t, fleet.Draw(*oneSeed))
		return
	}
	start := time.Now()
	keep := fleet.Counts
	if *twice || *hashed {
		keep = fleet.Digest
	}
	all := runMany(t, *first, *seeds, keep)
	t.Logf("\n%s", all.Report(time.Since(start)))
	if *hashed {
		t.Logf("one hash over all %d transcripts: %016x", *seeds, all.digest())
	}
	if *twice {
		compare(t, all)
	}
	overlaps := all.Overlaps()
	switch {
	case *expected == "overlaps" && overlaps == 0, *expected != "overlaps" && *expected != "nothing" && all.Violations[*expected] == 0:
		t.Errorf("no %s in %d seeds and %d terms: the checker does not see", *expected, all.Seeds, all.Terms)
	case *expected != "nothing":
		fmt.Printf("found: %d overlaps; seeds %d of %d; terms %d\n", overlaps, all.Failed, all.Seeds, all.Terms)
	case all.Terms < 6**seeds:
		t.Errorf("only %d terms in %d seeds: the simulation does not exercise the election", all.Terms, all.Seeds)
	}
}

// TestOneSeedIsOneHistory runs every world of -seeds twice, with another number of processors and of worlds at a time, and
// compares what happened, to the nanosecond. make simulate does the same for all of its seeds (-twice).
func TestOneSeedIsOneHistory(t *testing.T) {
	if *oneSeed != 0 {
		sameHistory(t, fleet.Draw(*oneSeed))
		return
	}
	compare(t, runMany(t, *first, *seeds, fleet.Digest))
}

// simulateOne runs one world and prints its plan and its transcript.
func simulateOne(t *testing.T, p fleet.Plan) {
	t.Logf("%s", p)
	r := fleet.Play(t, p, fleet.Everything)
	t.Logf("transcript:\n%s", r.Transcript)
	if r.Failed() {
		t.Errorf("seed %d:\n%s", p.Seed, r)
		if *shrinks {
			explain(t, p)
		}
	}
}
