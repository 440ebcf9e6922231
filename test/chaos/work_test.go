//go:build linux

package chaos

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
	"github.com/lease-sidecar/lease-sidecar/test/workload/journal"
)

// replicas is how many there are.
const replicas = 4

// fleet is where a schedule is played: one election and its replicas.
type fleet struct {
	history
	t        *testing.T
	seed     uint64
	election *harness.Election
	flags    []string // of every sidecar
	replicas []*replica
	began    bootclock.Instant
}

// TestChaosOfWork plays schedules against four replicas each. It fails where two replicas worked at one instant, where a
// Lease was released under work that went on, where a sidecar ended by itself, and where so little was done or worked
// that this would prove nothing.
func TestChaosOfWork(t *testing.T) {
	first := firstSeed()
	reports := make([]*summary, *seeds)
	t.Cleanup(func() {
		writeReport(t, reports)
		wantHandovers(t, reports)
	})
	for i := range reports {
		seed := first + uint64(i)
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			s := playSeed(t, seed)
			reports[i] = &s
		})
	}
}

// wantHandovers asks for two handovers in each seed, and for one in 15 s over all of them: one seed's faults may meet few leaders.
func wantHandovers(t *testing.T, reports []*summary) {
	var handovers, seconds float64
	for _, s := range reports {
		if s == nil || s.Handovers < 2 {
			t.Error("a seed ended early, or with fewer than two handovers: such a run proves little")
			return
		}
		handovers, seconds = handovers+float64(s.Handovers), seconds+s.Seconds
	}
	if handovers < seconds/15 {
		t.Errorf("the work went to another replica %.0f times in %.0f s, want once in 15 s: such a run proves little", handovers, seconds)
	}
}

// modes returns the replicas' modes: each once, one of them twice with three seeds.
func modes(chance *rand.Rand) []mode {
	four := []mode{child, fence, ended, []mode{child, fence, news}[chance.IntN(3)]}
	chance.Shuffle(len(four), func(i, j int) { four[i], four[j] = four[j], four[i] })
	return four
}

func playSeed(t *testing.T, seed uint64) summary {
	chance := rand.New(rand.NewPCG(seed, 0))
	d := time.Duration(3+chance.IntN(3)) * time.Second
	if *leaseDuration != 0 {
		d = *leaseDuration
	}
	f := newFleet(t, seed, d)
	plan := Plan{Seed: seed, Span: max(*duration-3*d, 2*d), D: d}
	f.flags = []string{
		"--placement", []string{"native", "classic"}[chance.IntN(2)],
		// A short one lets an unhealthy leader be healthy again before its term has run out.
		"--health-cooldown", []string{"1s", "4s", "8s"}[chance.IntN(3)],
		// An endpoint that is gone would hide what the other sights see.
		"--health-proves-stop=" + []string{"true", "false"}[seed%2],
		"--stop-timeout", (time.Duration(2+chance.IntN(7)) * time.Second).String(),
	}
	schedule := plan.work()
	four := modes(chance)
	t.Logf("seed %d: modes %v, flags %v, D = %s, %d faults of the main lane and %d of the side lane in %s",
		seed, four, f.flags, d, len(schedule[0]), len(schedule[1]), plan.Span)
	for i, m := range four {
		f.replicas = append(f.replicas, f.newReplica(i, m, nil))
	}
	f.awaitWork(2*d + slack)
	stopLogging := logEachMinute(t, func() string { return f.summary(f.judge()).String() })
	start := now()
	play(schedule, func(lane int, fault Fault) {
		if now().Sub(start) > plan.Span {
			return // faults took longer than drawn
		}
		if lane == 0 {
			f.revive()
		}
		f.strike(fault)
	})
	stopLogging()
	for _, r := range f.replicas {
		r.heal()
	}
	f.revive()
	time.Sleep(d)
	f.awaitWork(2*d + exitBound)
	return f.finish()
}

// newFleet prepares an election of lease duration d on the run's cluster.
func newFleet(t *testing.T, seed uint64, d time.Duration) *fleet {
	t.Helper()
	f := &fleet{t: t, seed: seed, election: harness.NewElection(t, harness.Shared(t), d), began: now()}
	f.election.Ship(t)
	return f
}

// killMargin is K of the protocol: by so long after validUntil the workload must have stopped.
func (f *fleet) killMargin() time.Duration {
	return min(3*time.Second, (f.election.Duration-f.election.RenewDeadline())*6/10)
}

// bound is how long a program that nothing kills works on after its signal: less than the kill margin.
func (f *fleet) bound() time.Duration { return f.killMargin() * 4 / 10 }

// leader returns the replica that publishes that it leads, nil where none is.
func (f *fleet) leader() *replica {
	for _, r := range f.replicas {
		if r.leads() {
			return r
		}
	}
	return nil
}

// hit notes that a fault of a replica begins, logs it, and returns what notes its end.
func (f *fleet) hit(r *replica, kind Kind, detail string) (over func()) {
	f.t.Logf("%8s  web-%d (%s): %s", f.since(now()), r.index, r.mode, detail)
	return f.note(event{kind: kind, detail: detail, index: r.index})
}

// since says an instant as a time from the fleet's begin.
func (f *fleet) since(i bootclock.Instant) string {
	return fmt.Sprintf("%.3fs", i.Sub(f.began).Seconds())
}

// finish judges a run and reports on it.
func (f *fleet) finish() summary {
	f.t.Helper()
	v := f.judge()
	s := f.summary(v)
	f.t.Log(s)
	f.blame(v)
	if s.WorkSeconds < 0.2*s.Seconds {
		f.t.Errorf("somebody worked for %.1f s of %.1f s, want a fifth at least: such a run proves little", s.WorkSeconds, s.Seconds)
	}
	return s
}

// awaitWork waits until somebody works: the newest mark is young.
func (f *fleet) awaitWork(bound time.Duration) {
	f.t.Helper()
	if !harness.Within(bound, 250*time.Millisecond, func() bool {
		look := now()
		work := f.judge().work()
		return len(work) > 0 && look.Sub(work[len(work)-1].to) < journal.Pause
	}) {
		f.t.Errorf("nobody works within %s", bound)
	}
}
