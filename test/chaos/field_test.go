//go:build linux

package chaos

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

const (
	// journalLook is how often the witness asks whether theirs lead.
	journalLook = 5 * time.Millisecond
	// slack is room for a slow machine in bounds from above.
	slack = 20 * time.Second
)

// plain is the candidate of ours that runs no program while it leads, as the others do. It is on a machine with a wall
// clock of its own instead, but in a soak.
const plain = 2

// field is where a schedule is played: one cluster, two elections, the candidates of both.
type field struct {
	cluster      *harness.Cluster
	storm        *harness.Storm
	ours, theirs *harness.Election
	candidates   []*candidate
	// ourWitness and theirWitness see the two sides.
	ourWitness, theirWitness *harness.Witness
	// journals has a folder of journals for each candidate's program.
	journals []string
	// log says what is done.
	log func(format string, args ...any)

	mu                     sync.Mutex
	ourEvents, theirEvents []Event
}

// newField starts the cluster and all candidates. Pods outlive the processes in them, hence come first.
func newField(t *testing.T, plan Plan) *field {
	c := harness.Start(t)
	f := &field{cluster: c, storm: c.Storm(t), log: t.Logf}
	f.ours, f.theirs = harness.NewElection(t, c, plan.D), harness.NewElection(t, c, plan.D)
	f.ours.Ship(t)
	f.theirs.Ship(t)
	f.ourWitness, f.theirWitness = harness.Watch(t), harness.Watch(t)
	for i := range candidates {
		f.candidates = append(f.candidates, f.newCandidate(t, i, plan))
	}
	stop := make(chan struct{})
	var supervisors sync.WaitGroup
	for _, s := range f.candidates {
		supervisors.Go(func() { s.supervise(t, stop) })
	}
	t.Cleanup(func() {
		close(stop)
		supervisors.Wait()
	})
	return f
}

func (f *field) newCandidate(t *testing.T, i int, plan Plan) *candidate {
	c := &candidate{index: i, pod: harness.NewCgroup(t), ourLine: f.storm.Proxy(t), theirLine: f.storm.Proxy(t)}
	s := f.ours.Prepare(t, ourName(i))
	s.Kubeconfig = f.ours.Access.Kubeconfig(t, c.ourLine.Host())
	if plan.Gentle { // a soak weighs what is shipped, at its default
		s.Binary = harness.ShippedBinary(t)
		s.Args = append(s.Args, "--log-level", "info")
	}
	f.journals = append(f.journals, t.TempDir())
	switch {
	case i != plain:
		harness.Conduct(nil).Write(t, f.journals[i])
		s.Args = append(s.Args, "--", harness.WorkloadProgram(t), "-child", "-folder", f.journals[i])
	case !plan.Gentle:
		c.clock = harness.NewClockFile(t)
		s.Binary, s.Env = harness.SkewableBinary(t), []string{c.clock.Env()}
	}
	s.Binary = c.pod.Launcher(s.Binary)
	s.Start(t, f.ours)
	c.ours = s
	if c.clock != nil {
		f.ourWitness.AddOn(c.clock, s)
	} else {
		f.ourWitness.Add(s)
	}
	c.theirs = f.theirs.StartPeer(t, theirName(i), harness.PeerOptions{
		ReleaseOnCancel: true, Kubeconfig: f.theirs.Access.Kubeconfig(t, c.theirLine.Host()),
		LeaseDuration: plan.D, RenewDeadline: plan.D * 2 / 3, RetryPeriod: plan.D * 2 / 15, // client-go's proportions
	})
	f.theirWitness.AddChannel(theirName(i), "journal", journalLook, c.theirs.Leads)
	return c
}

// play lets both lanes of a schedule come true at once, and returns when the last fault is over.
func (f *field) play(t *testing.T, s Schedule) {
	start := f.now()
	var lanes sync.WaitGroup
	for _, lane := range []struct {
		faults Lane
		strike func(*testing.T, Fault)
	}{{s.Candidates, f.strikeCandidate}, {s.Store, f.strikeStore}} {
		lanes.Go(func() {
			for _, fault := range lane.faults {
				time.Sleep(start.Add(fault.At).Sub(f.now()))
				lane.strike(t, fault)
			}
		})
	}
	lanes.Wait()
}

func (f *field) now() bootclock.Instant { return f.ourWitness.Now() }

// aim returns whom a fault hits.
func (f *field) aim(fault Fault) *candidate {
	if fault.Kind == WallStep {
		return f.candidates[plain]
	}
	for _, c := range f.candidates {
		if fault.Target != Anyone && c.leads(fault.Target) {
			return c
		}
	}
	return f.candidates[fault.Index]
}

// note writes down that a fault begins, for ours and perhaps for theirs, and returns what writes down its end.
func (f *field) note(kind Kind, index int, both bool) (over func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := Event{Kind: kind, Index: index, From: f.now(), To: 1<<63 - 1}
	f.ourEvents = append(f.ourEvents, e)
	our, their := len(f.ourEvents)-1, len(f.theirEvents)
	if both {
		f.theirEvents = append(f.theirEvents, e)
	}
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.ourEvents[our].To = f.now()
		if both {
			f.theirEvents[their].To = f.now()
		}
	}
}

// leads reports whether somebody of that side publishes now that it leads.
func (f *field) leads(side Target) bool {
	return slices.ContainsFunc(f.candidates, func(c *candidate) bool { return c.leads(side) })
}
