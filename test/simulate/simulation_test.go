//go:build linux

package simulate

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

var (
	seeds    = flag.Int("seeds", 150, "how many worlds to run")
	first    = flag.Uint64("first", 1, "the first seed")
	oneSeed  = flag.Uint64("seed", 0, "run this seed alone; with -v its transcript is printed")
	shrinks  = flag.Bool("shrink", true, "cut a schedule that fails down to what matters")
	twice    = flag.Bool("twice", false, "run every world twice, with another number of processors, and compare all transcripts")
	hashed   = flag.Bool("hash", false, "print one hash over all transcripts, to compare with another run's")
	expected = flag.String("expect", "nothing", "what the run must find: nothing, overlaps, or violations of a rule by its name, such as I13")
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(400) // a world lives for milliseconds
	goleak.VerifyTestMain(m)
}

// volumes returns where the signal directories are made: in memory, where there is such a place.
func volumes() string {
	const memory = "/dev/shm"
	if info, err := os.Stat(memory); err == nil && info.IsDir() {
		return memory
	}
	return ""
}

// inBubble lives through a schedule in a bubble of its own.
func inBubble(t *testing.T, s schedule, k keep) (r result) {
	t.Helper()
	dir, err := os.MkdirTemp(volumes(), "simulate")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if s.mixed() {
		jitter.Lock()
		defer jitter.Unlock()
		seedJitter(s.Seed)
	}
	synctest.Test(t, func(*testing.T) { r = live(s, dir, k) })
	return r
}

// TestSimulation runs many worlds and asserts that in none of them two are told to lead at one instant, two apps work
// at one instant, ours lead beside client-go's, or any other rule is broken. See the flags; -seed N repeats a world.
func TestSimulation(t *testing.T) {
	if *oneSeed != 0 {
		simulateOne(t, drawSchedule(*oneSeed))
		return
	}
	start := time.Now()
	all := crowd(t, *first, *seeds, keepOf(*twice || *hashed))
	t.Logf("\n%s", all.report(time.Since(start)))
	if *hashed {
		t.Logf("one hash over all %d transcripts: %016x", *seeds, all.digest())
	}
	if *twice {
		compare(t, all)
	}
	overlapped := all.told.count + all.work.count + all.beside.count
	switch {
	case *expected == "overlaps" && overlapped == 0, *expected != "overlaps" && *expected != "nothing" && all.violations[*expected] == 0:
		t.Errorf("no %s in %d seeds and %d terms: the checker does not see", *expected, all.seeds, all.terms)
	case *expected != "nothing":
		fmt.Printf("found: overlaps told %d, at work %d, beside client-go's %d; seeds %d of %d; terms %d\n",
			all.told.count, all.work.count, all.beside.count, all.failed, all.seeds, all.terms)
	case all.terms < 6**seeds:
		t.Errorf("only %d terms in %d seeds: the simulation does not exercise the election", all.terms, all.seeds)
	}
}

// simulateOne runs one world and tells all about it.
func simulateOne(t *testing.T, s schedule) {
	t.Logf("%s", s)
	r := inBubble(t, s, everything)
	t.Logf("transcript:\n%s", r.transcript)
	if r.failed() {
		t.Errorf("seed %d:\n%s", s.Seed, r)
		if *shrinks {
			explain(t, s)
		}
	}
}

// explain prints the schedule, cut down, its transcript, and how to run it again.
func explain(t *testing.T, s schedule) {
	small := shrink(s, 150, func(s schedule) bool { return inBubble(t, s, onlyCounts).failed() })
	r := inBubble(t, small, everything)
	t.Logf("cut down to:\n%s\nwhat goes wrong:\n%s\ntranscript:\n%s\nrepeat the whole of it: go test ./test/simulate -run TestSimulation -seed %d -v",
		small, r, r.transcript, s.Seed)
}
