//go:build linux

package chaos

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// journalLook is how often the witness asks whether theirs lead.
const journalLook = 5 * time.Millisecond

// TestChaos plays a schedule against both kinds of candidates and reports on them. It fails where two of ours led at once,
// where a token fell, where none of ours leads in the end, and in a soak where a sidecar grew or asked for too much.
func TestChaos(t *testing.T) {
	plan := planned()
	s := plan.elections()
	t.Logf("seed %d: %d faults of candidates and %d of the store in %v, D = %v", plan.Seed, len(s[0]), len(s[1]), plan.Span, plan.D)
	f := newContest(t, plan)
	began := time.Now()
	if !f.awaitLeaders(plan.D) {
		t.Fatal("nobody leads before any fault")
	}
	stopLogging := logEachMinute(t, func() string { return f.standing(began) })
	var weights []resources
	if plan.Gentle {
		time.Sleep(restTime)
		weights = f.weighAll()
	}
	play(s, func(lane int, fault Fault) {
		if lane == 0 {
			f.strikeCandidate(t, fault)
		} else {
			f.strikeStore(t, fault)
		}
	})
	f.awaitLeaders(plan.D)
	if plan.Gentle {
		f.checkBudget(t, plan.D)
		f.checkGrowth(t, weights)
	}
	time.Sleep(2 * time.Second) // a leader that has only just begun is one as well
	stopLogging()
	report := f.report(t, plan, began)
	if plan.Gentle {
		f.checkGoroutines(t, f.candidates[plain])
	}
	writeReport(t, report)
	for _, fault := range report.faults() {
		t.Error(fault)
	}
}

// planned reads the flags.
func planned() Plan {
	plan := Plan{Seed: firstSeed(), D: *leaseDuration, Gentle: *gentle}
	if plan.D == 0 {
		plan.D = 3 * time.Second
		if *duration >= 5*time.Minute {
			plan.D = 15 * time.Second
		}
	}
	plan.Span = max(*duration-2*plan.D, 3*plan.D)
	return plan
}

// awaitLeaders waits until both sides have a leader, for as long as any orderly wait may take, and reports whether
// ours has.
func (f *contest) awaitLeaders(d time.Duration) bool {
	harness.Within(2*d+slack, 10*time.Millisecond, func() bool { return f.leads(OurLeader) && f.leads(TheirLeader) })
	return f.leads(OurLeader)
}

// standing says how it stands.
func (f *contest) standing(began time.Time) string {
	return fmt.Sprintf("%v: ours ended %d terms, %d overlaps; theirs %d, %d overlaps; ours hold %v", time.Since(began).Round(time.Second),
		len(f.ourWitness.Terms("state")), len(harness.Overlaps(f.ourWitness.Terms(""))),
		len(f.theirWitness.Terms("")), len(harness.Overlaps(f.theirWitness.Terms(""))), f.weighAll())
}

// plain is the candidate of ours that runs no program while it leads, as the others do. It is on a machine with a wall
// clock of its own instead, but in a soak.
const plain = 2

// contest is where a schedule is played: one cluster, two elections, the candidates of both.
type contest struct {
	history
	cluster      *harness.Cluster
	storm        *harness.Storm
	ours, theirs *harness.Election
	candidates   []*candidate
	// ourWitness and theirWitness see the two sides.
	ourWitness, theirWitness *harness.Witness
	// journals has a folder of journals for each candidate's program.
	journals []string
}

// newContest starts the cluster and all candidates. Pods outlive the processes in them, hence come first.
func newContest(t *testing.T, plan Plan) *contest {
	c := harness.Start(t)
	f := &contest{cluster: c, storm: c.Storm(t)}
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

func (f *contest) newCandidate(t *testing.T, i int, plan Plan) *candidate {
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
		ReleaseOnCancel: true, FreshIdentity: true, Kubeconfig: f.theirs.Access.Kubeconfig(t, c.theirLine.Host()),
		LeaseDuration: plan.D, RenewDeadline: plan.D * 2 / 3, RetryPeriod: plan.D * 2 / 15, // client-go's proportions
	})
	f.theirWitness.AddChannel(theirName(i), "journal", journalLook, c.theirs.Leads)
	return c
}

// aim returns whom a fault hits.
func (f *contest) aim(fault Fault) *candidate {
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

// leads reports whether somebody of that side publishes now that it leads.
func (f *contest) leads(side Target) bool {
	return slices.ContainsFunc(f.candidates, func(c *candidate) bool { return c.leads(side) })
}
