//go:build linux

package chaos

import (
	"flag"
	"os"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

var (
	duration      = flag.Duration("duration", 45*time.Second, "how long the faults go on, with the calm after them")
	leaseDuration = flag.Duration("lease-duration", 0, "the lease duration of all candidates; 0 is 3 s, and 15 s from a -duration of 5 m")
	seed          = flag.Uint64("seed", 1, "what the schedule is drawn from; 0 takes one from the clock")
	gentle        = flag.Bool("gentle", false, "a soak: only short faults, no process ends, and none may grow")
	reportPath    = flag.String("report", "", "a file to which the report is written as JSON")
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// TestChaos plays a schedule against both kinds of candidates and reports on them. It fails where two of ours were
// lead at once, where a token fell, where none of ours leads in the end, and in a soak where a sidecar
// grew or asked for too much.
func TestChaos(t *testing.T) {
	plan, drawn := planned()
	s := plan.Draw(drawn)
	t.Logf("seed %d: %d faults of candidates and %d of the store in %v, D = %v", drawn, len(s.Candidates), len(s.Store), plan.Span, plan.D)
	f := newField(t, plan)
	began := time.Now()
	if !f.awaitLeaders(plan.D) {
		t.Fatal("nobody leads before any fault")
	}
	stopLogging := f.logEachMinute(t)
	var weights []resources
	if plan.Gentle {
		time.Sleep(restTime)
		weights = f.weighAll()
	}
	f.play(t, s)
	f.awaitLeaders(plan.D)
	if plan.Gentle {
		f.checkBudget(t, plan.D)
		f.checkGrowth(t, weights)
	}
	time.Sleep(2 * time.Second) // a leader that has only just begun is one as well
	stopLogging()
	report := f.report(t, plan, drawn, began)
	if plan.Gentle {
		f.checkGoroutines(t, f.candidates[plain])
	}
	report.publish(t)
	for _, fault := range report.faults() {
		t.Error(fault)
	}
}

// planned reads the flags.
func planned() (Plan, uint64) {
	plan := Plan{D: *leaseDuration, Gentle: *gentle}
	if plan.D == 0 {
		plan.D = 3 * time.Second
		if *duration >= 5*time.Minute {
			plan.D = 15 * time.Second
		}
	}
	plan.Span = max(*duration-2*plan.D, 3*plan.D)
	drawn := *seed
	if drawn == 0 {
		drawn = uint64(time.Now().UnixNano())
	}
	return plan, drawn
}

// awaitLeaders waits until both sides have a leader, for as long as any orderly wait may take, and reports whether
// ours has.
func (f *field) awaitLeaders(d time.Duration) bool {
	for deadline := time.Now().Add(2*d + slack); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if f.leads(OurLeader) && f.leads(TheirLeader) {
			break
		}
	}
	return f.leads(OurLeader)
}

// logEachMinute writes how it stands until the returned function is called.
func (f *field) logEachMinute(t *testing.T) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	began := time.Now()
	go func() {
		defer close(done)
		for tick := time.NewTicker(time.Minute); ; {
			select {
			case <-quit:
				tick.Stop()
				return
			case <-tick.C:
				t.Logf("%v: ours ended %d terms, %d overlaps; theirs %d, %d overlaps; ours hold %v", time.Since(began).Round(time.Second),
					len(f.ourWitness.Terms("state")), len(harness.Overlaps(f.ourWitness.Terms(""))),
					len(f.theirWitness.Terms("")), len(harness.Overlaps(f.theirWitness.Terms(""))), f.weighAll())
			}
		}
	}()
	return func() { close(quit); <-done }
}
