//go:build linux

package chaos

import (
	"net/http"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// sceneDuration is the lease duration of the scenes: the kill margin is 1.2 s.
const sceneDuration = 6 * time.Second

// scene starts two replicas of a mode whose programs have that conduct, and returns them once one works.
func scene(t *testing.T, m mode, c harness.Conduct, flags ...string) (f *fleet, leader *replica) {
	t.Helper()
	f = newFleet(t, 1, sceneDuration)
	f.flags = append(flags, "--health-cooldown", "10s")
	for i := range 2 {
		f.replicas = append(f.replicas, f.newReplica(i, m, c))
	}
	f.awaitWork(2*sceneDuration + slack)
	leader = f.leader()
	if leader == nil {
		t.Fatal("somebody works and nobody leads")
	}
	return f, leader
}

// close waits until the other replica has worked for a while, and fails where both did at once.
func (f *fleet) close(leader *replica, bound time.Duration) {
	f.t.Helper()
	other := f.replicas[1-leader.index]
	over := func() bool { // the other has worked, and the leader has not for a second
		records := f.judge().records
		sum, _ := lengths(records[other.index].spans())
		last := records[leader.index].spans()
		return sum > time.Second && now().Sub(last[len(last)-1].to) > time.Second
	}
	if !harness.Within(bound, 50*time.Millisecond, over) {
		f.t.Errorf("web-%d has not taken the work over within %s", other.index, bound)
	}
	v := f.judge()
	f.t.Log(f.summary(v))
	f.blame(v)
}

// TestLateCreditReleasesNothingUnderTheChild: the replies to a leader are cut, it becomes unhealthy, its term runs out,
// and then the replies arrive, which credit a term that is late. The child has not stopped yet: it does not listen, and
// is killed half a kill margin after validUntil.
func TestLateCreditReleasesNothingUnderTheChild(t *testing.T) {
	t.Parallel()
	f, leader := scene(t, child, harness.Conduct{"Ignore": true})
	f.healedLate(leader, Fault{Kind: HealedLate, Way: harness.Replies, Then: Unhealthy, Phase: 0.1, Offset: 20 * time.Millisecond})
	f.close(leader, 3*sceneDuration+slack)
}

// inEach plays a scene for each mode: what the leader's programs do is seen for a while, act is done to it, and the other
// replica takes over.
func inEach(t *testing.T, modes []mode, c harness.Conduct, act func(*fleet, *replica), flags ...string) {
	for _, m := range modes {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			f, leader := scene(t, m, c, flags...)
			act(f, leader)
			f.close(leader, 3*sceneDuration+slack)
		})
	}
}

// stepDown asks a leader to hand over, some time after it began to work.
func stepDown(after time.Duration) func(*fleet, *replica) {
	return func(f *fleet, r *replica) {
		time.Sleep(after)
		defer f.hit(r, StepDown, string(StepDown))()
		if status := r.sidecar.Post("/step-down"); status != http.StatusAccepted {
			f.t.Errorf("POST /step-down: status %d", status)
		}
	}
}

// TestLeftWorkersKeepTheLease: the program ends at the signal, and its workers work on, beyond the last validUntil of
// the term that was handed over. The end of its health endpoint, which it has closed with all else, says nothing here.
func TestLeftWorkersKeepTheLease(t *testing.T) {
	left := harness.Conduct{"Workers": 2, "Leave": true, "Deaf": true, "Linger": 8 * time.Second}
	inEach(t, []mode{child, fence, ended}, left, stepDown(2*time.Second), "--health-proves-stop=false") // the workers have been seen
}

// TestEndpointGoneIsNoStopOfALivingProcess: the program closes its health endpoint at the signal, and works on.
func TestEndpointGoneIsNoStopOfALivingProcess(t *testing.T) {
	unlisten := harness.Conduct{"Unlisten": true, "Stop": 3 * time.Second}
	inEach(t, []mode{child, fence, ended}, unlisten, stepDown(time.Second)) // the endpoint has been seen
}

// TestWorkersOfACrashKeepTheLease: the program starts workers when it begins to work, crashes soon after, and its workers
// work on. Nobody has asked it to stop.
func TestWorkersOfACrashKeepTheLease(t *testing.T) {
	crash := harness.Conduct{
		"Workers": 2, "Leave": true, "Deaf": true, "Linger": 5 * time.Second, "Crash": 700 * time.Millisecond,
	}
	inEach(t, []mode{child, fence, news}, crash, func(*fleet, *replica) {})
}
