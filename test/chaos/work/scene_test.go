//go:build linux

package work

import (
	"net/http"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// sceneDuration is the lease duration of the scenes: the kill margin is 1.2 s.
const sceneDuration = 6 * time.Second

// scene starts two replicas of a mode whose programs have that conduct, and returns them once one works.
func scene(t *testing.T, m mode, c harness.Conduct, flags ...string) (f *field, leader *replica) {
	t.Helper()
	f = newField(t, 1, sceneDuration)
	f.flags = flags
	f.flags = append(f.flags, "--health-cooldown", "10s")
	for i := range 2 {
		f.replicas = append(f.replicas, f.newReplica(t, i, m, c))
	}
	f.awaitWork(t, 2*sceneDuration+slack)
	leader = f.leader()
	if leader == nil {
		t.Fatal("somebody works and nobody leads")
	}
	return f, leader
}

// close waits until the other replica has worked for a while, and fails where both did at once.
func (f *field) close(t *testing.T, leader *replica, bound time.Duration) {
	t.Helper()
	other := f.replicas[1-leader.index]
	over := func() bool { // the other has worked, and the leader has not for a second
		records := f.judge(t).records
		sum, _ := total(records[other.index].spans())
		last := records[leader.index].spans()
		return sum > time.Second && now().Sub(last[len(last)-1].to) > time.Second
	}
	for deadline := now().Add(bound); !over(); time.Sleep(50 * time.Millisecond) {
		if deadline.Before(now()) {
			t.Errorf("web-%d has not taken the work over within %s", other.index, bound)
			break
		}
	}
	v := f.judge(t)
	t.Log(f.summary(v))
	f.blame(t, v)
}

// TestLateCreditReleasesNothingUnderTheChild: the replies to a leader are cut, it becomes unhealthy, its term runs out,
// and then the replies arrive, which credit a term that is late. The child has not stopped yet: it does not listen, and
// is killed half a kill margin after validUntil.
func TestLateCreditReleasesNothingUnderTheChild(t *testing.T) {
	t.Parallel()
	f, leader := scene(t, child, harness.Conduct{"Ignore": true})
	f.healedLate(t, leader, Fault{Kind: HealedLate, Way: harness.Replies, Then: Unhealthy, Phase: 0.1, Offset: 20 * time.Millisecond})
	f.close(t, leader, 3*sceneDuration+slack)
}

// TestLeftWorkersKeepTheLease: the program ends at the signal, and its workers work on, beyond the last validUntil of
// the term that was handed over. The end of its health endpoint, which it has closed with all else, says nothing here.
func TestLeftWorkersKeepTheLease(t *testing.T) {
	for _, m := range []mode{child, fence, ended} {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			f, leader := scene(t, m, harness.Conduct{"Workers": 2, "Leave": true, "Deaf": true, "Linger": 8 * time.Second}, "--health-proves-stop=false")
			time.Sleep(2 * time.Second) // the workers have been seen
			f.stepDown(t, leader)
			f.close(t, leader, 3*sceneDuration+slack)
		})
	}
}

// TestEndpointGoneIsNoStopOfALivingProcess: the program closes its health endpoint at the signal, and works on.
func TestEndpointGoneIsNoStopOfALivingProcess(t *testing.T) {
	for _, m := range []mode{child, fence, ended} {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			f, leader := scene(t, m, harness.Conduct{"Unlisten": true, "Stop": 3 * time.Second})
			time.Sleep(time.Second) // the endpoint has been seen
			f.stepDown(t, leader)
			f.close(t, leader, 3*sceneDuration+slack)
		})
	}
}

// stepDown asks a leader to hand over.
func (f *field) stepDown(t *testing.T, r *replica) {
	t.Helper()
	over := f.note(string(StepDown), r.index, false)
	defer over()
	if status := r.sidecar.Post("/step-down"); status != http.StatusAccepted {
		t.Errorf("POST /step-down: status %d", status)
	}
}

// TestWorkersOfACrashKeepTheLease: the program starts workers when it begins to work, crashes soon after, and its workers
// work on. Nobody has asked it to stop.
func TestWorkersOfACrashKeepTheLease(t *testing.T) {
	for _, m := range []mode{child, fence, news} {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			f, leader := scene(t, m, harness.Conduct{
				"Workers": 2, "Leave": true, "Deaf": true, "Linger": 5 * time.Second, "Crash": 700 * time.Millisecond,
			})
			f.close(t, leader, 3*sceneDuration+slack)
		})
	}
}
