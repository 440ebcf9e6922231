//go:build linux

package chaos

import (
	"encoding/json"
	"flag"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
	"github.com/lease-sidecar/lease-sidecar/test/workload/journal"
)

var (
	duration      = flag.Duration("duration", 45*time.Second, "how long the faults go on, with the calm after them")
	leaseDuration = flag.Duration("lease-duration", 0, "the lease duration; 0: TestChaos has 3 s, and 15 s from a -duration of 5 m; TestChaosOfWork draws 3, 4 or 5 s")
	seed          = flag.Uint64("seed", 1, "what the schedule is drawn from; 0 takes one from the clock")
	seeds         = flag.Int("seeds", 1, "TestChaosOfWork: how many seeds are played, from -seed on, all at once")
	gentle        = flag.Bool("gentle", false, "TestChaos: a soak: only short faults, no process ends, and none may grow")
	reportPath    = flag.String("report", "", "a file to which the report is written as JSON")
)

const (
	// slack is room for a slow machine in bounds from above.
	slack = 20 * time.Second
	// exitBound is how long a process may take to end that was asked to, on a machine that does much else.
	exitBound = time.Minute
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

func now() bootclock.Instant { return bootclock.System{}.Now() }

// firstSeed reads the flag.
func firstSeed() uint64 {
	if *seed == 0 {
		return uint64(time.Now().UnixNano())
	}
	return *seed
}

// play lets all lanes of a schedule come true at once, and returns when the last fault is over.
func play(s Schedule, strike func(lane int, f Fault)) {
	start := now()
	var lanes sync.WaitGroup
	for i, lane := range s {
		lanes.Go(func() {
			for _, f := range lane {
				time.Sleep(start.Add(f.At).Sub(now()))
				strike(i, f)
			}
		})
	}
	lanes.Wait()
}

// everyone stands for all replicas where one's index is meant.
const everyone = -1

// event is a fault as it came about.
type event struct {
	kind Kind
	// detail is the fault without its time.
	detail string
	// index is the replica that it hit, or everyone.
	index int
	// ours: where two elections run, it hit ours alone.
	ours bool
	// span is from its first to its last instant; to the end of time while it goes on.
	span
}

// history is what was done, and when.
type history struct {
	mu     sync.Mutex
	events []event
}

// note writes down that a fault begins, and returns what writes down its end.
func (h *history) note(e event) (over func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := len(h.events)
	e.span = span{now(), 1<<63 - 1}
	h.events = append(h.events, e)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.events[i].to = now()
	}
}

// all returns the events so far, by their start.
func (h *history) all() []event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.events)
}

// spansOf returns when faults of these kinds hit a replica.
func spansOf(events []event, index int, kinds ...Kind) (spans []span) {
	for _, e := range events {
		if e.index == index && slices.Contains(kinds, e.kind) {
			spans = append(spans, e.span)
		}
	}
	return spans
}

// onWaking reports whether a process worked only because its pod woke, which had been frozen for one of these spans.
func onWaking(s journal.Stretch, frozen []span) bool {
	return slices.ContainsFunc(frozen, func(f span) bool { return s.OnWaking(f.from, f.to) })
}

// logEachMinute logs how it stands until the returned function is called.
func logEachMinute(t *testing.T, standing func() string) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Minute)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				t.Log(standing())
			}
		}
	}()
	return func() { close(quit); <-done }
}

// writeReport logs the figures as JSON, and writes them where the flag says.
func writeReport(t *testing.T, report any) {
	t.Helper()
	text, err := json.MarshalIndent(report, "", "  ")
	t.Logf("%s", text)
	if err == nil && *reportPath != "" {
		err = os.WriteFile(*reportPath, append(text, '\n'), 0o644)
	}
	if err != nil {
		t.Errorf("write the report: %v", err)
	}
}

// awaitExit waits until a process has ended that was asked to, and ends it where it does not.
func awaitExit(t *testing.T, p *harness.Process) {
	select {
	case <-p.Exited():
	case <-time.After(exitBound):
		t.Errorf("%s still runs after %v; the end of its log:\n%s", p.Name, exitBound, p.Tail(10))
		p.Stop(0)
	}
}
