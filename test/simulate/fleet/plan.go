//go:build linux

package fleet

import (
	"fmt"
	"math/rand"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
)

// Every world is about this one Lease.
const (
	leaseName = "acme-1"
	namespace = "default"
)

// Plan is all that a world is made from. [Draw] makes it from a seed. It can be run again with parts left out.
type Plan struct {
	// Seed is what it was drawn from. The world's own chances are drawn from it, too.
	Seed uint64
	// Duration is the Lease's.
	Duration time.Duration
	// StopTimeout is how long the sidecars wait for a workload that they see at work.
	StopTimeout time.Duration
	// Slots are the candidates, Faults what goes wrong, in the order of time.
	Slots  []Slot
	Faults []Fault
	// End is when nothing more happens to the fleet. Then all faults are healed.
	End time.Duration

	workers func(*Pod) Worker // nil: none
}

// Slot describes one candidate.
type Slot struct {
	// PPM is how much faster than true time its clocks run, in parts per million.
	PPM int64

	peer, release bool // client-go's elector, with ReleaseOnCancel
	skew          time.Duration
	priority      int

	work    workload
	health  bool          // its health endpoint is looked at, too: it ends with the main process
	stop    time.Duration // how long its main process takes to stop
	workers time.Duration // how much longer its workers stay
	killLag time.Duration // how long after its deadline the last killed process is gone
	reports bool          // it reports its stop
	drain   time.Duration // the operator's promise, --drain-timeout; 0: none
}

// Fault is one thing that goes wrong, or that somebody does.
type Fault struct {
	// At is when it begins, Length how long it lasts, each of true time.
	At, Length time.Duration
	// Kind is the name of a row of kinds.
	Kind string
	// Target is the number of the slot that it is for, or TheLeader.
	Target int
}

// TheLeader is the [Fault.Target] that means whoever leads then.
const TheLeader = -1

// mixed reports whether client-go's elector campaigns, too.
func (s Plan) mixed() bool {
	return slices.ContainsFunc(s.Slots, func(s Slot) bool { return s.peer })
}

// config returns the timings of the world's sidecars: the defaults of its lease duration, and the grace that
// client-go's timings call for, their retry period + 3 times their renew deadline − their lease duration + 1 s.
func (s Plan) config() elector.Config {
	t := s.peerTimings()
	return elector.Config{
		Lease: leaseName, Namespace: namespace, Workload: "deployment/web", Identity: "set for each process",
		Duration: s.Duration, ForeignGrace: t.retry + 3*t.renew - t.lease + time.Second, Priority: elector.MaxPriority,
	}.WithDefaults()
}

type peerTimings struct{ lease, renew, retry time.Duration }

// peerTimings returns client-go's defaults (15 s, 10 s, 2 s), in proportion to the world's lease duration. The deadline is
// slightly longer: otherwise it would fall on the instant of the fifth attempt, and chance would decide between the two.
func (s Plan) peerTimings() peerTimings {
	return peerTimings{lease: s.Duration, renew: s.Duration*2/3 + 1234567, retry: s.Duration * 2 / 15}
}

// String returns the plan as a table.
func (s Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %d candidates, lease duration %v, stop timeout %v, faults until %v\n", s.Seed, len(s.Slots), s.Duration, s.StopTimeout, s.End)
	for i, c := range s.Slots {
		if c.peer {
			fmt.Fprintf(&b, "  web-%d  client-go, ReleaseOnCancel %v\n", i, c.release)
			continue
		}
		fmt.Fprintf(&b, "  web-%d  clock %+d ppm, priority %d; workload: %s, stops in %v + %v, killed in %v, health %v, reports %v, drain timeout %v\n",
			i, c.PPM, c.priority, c.work, c.stop, c.workers, c.killLag, c.health, c.reports, c.drain)
	}
	for _, f := range s.Faults {
		target := "the leader"
		if f.Target != TheLeader {
			target = fmt.Sprintf("web-%d", f.Target)
		}
		fmt.Fprintf(&b, "  %14v  %s, %s, %v\n", f.At, f.Kind, target, f.Length)
	}
	return b.String()
}

// Play runs a plan in a bubble of its own and returns what came of it. Several may run at once.
//
// Where client-go's elector campaigns, Play seeds math/rand's global generator, from which client-go draws the pauses between its
// attempts. For that the test needs the line //go:debug randseednop=0.
func Play(t *testing.T, p Plan, k Keep) (r Result) {
	t.Helper()
	dir, err := os.MkdirTemp(volumes(), "simulate")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if p.mixed() {
		jitter.Lock()
		defer jitter.Unlock()
		rand.Seed(int64(p.Seed)) //nolint:staticcheck // client-go takes no generator of ours
	}
	synctest.Test(t, func(*testing.T) { r = live(p, dir, k) })
	return r
}

// jitter makes one world at a time the user of math/rand's global generator.
var jitter sync.Mutex

// volumes returns where the signal directories are made: in memory where possible.
func volumes() string {
	const memory = "/dev/shm"
	if info, err := os.Stat(memory); err == nil && info.IsDir() {
		return memory
	}
	return ""
}
