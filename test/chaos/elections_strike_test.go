//go:build linux

package chaos

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// strikeCandidate does one fault to a candidate of each side and ends it.
func (f *contest) strikeCandidate(t *testing.T, fault Fault) {
	c := f.aim(fault)
	t.Logf("%v: %s (candidate %d)", fault, fault.Target, c.index)
	defer f.note(event{kind: fault.Kind, index: c.index, ours: fault.Kind == WallStep})()
	pass := func() { time.Sleep(fault.Length) }
	switch fault.Kind {
	case CutRequests, CutReplies, Cut:
		c.lines(func(p *harness.Proxy) { p.CutWays(fault.Way) })
		pass()
		c.lines((*harness.Proxy).Heal)
	case Delayed:
		c.lines(func(p *harness.Proxy) { p.Delay(harness.Both, fault.By) })
		pass()
		c.lines((*harness.Proxy).Heal)
	case Reset:
		c.lines((*harness.Proxy).Reset)
	case HalfOpen:
		c.lines((*harness.Proxy).HalfOpen)
	case Stopped:
		c.signal(t, syscall.SIGSTOP)
		pass()
		c.signal(t, syscall.SIGCONT)
	case PodFrozen:
		c.freeze()
		pass()
		c.pod.Thaw()
	case Killed, Terminated:
		c.end(t, map[Kind]syscall.Signal{Killed: syscall.SIGKILL, Terminated: syscall.SIGTERM}[fault.Kind])
		pass()
		c.start(t, f.ours)
	case StepDown:
		c.stepDown(t)
	case WallStep:
		if c.clock != nil {
			c.clock.Step(fault.By)
		}
	default:
		panic(fmt.Sprintf("the candidates' lane has %q", fault.Kind)) // a kind that nobody has written down here
	}
}

// strikeStore does one fault to the store of both sides, or to our Lease, and ends it.
func (f *contest) strikeStore(t *testing.T, fault Fault) {
	t.Log(fault)
	ours := fault.Kind == LeaseDeleted || fault.Kind == LeaseBlanked || fault.Kind == LeaseEdited
	defer f.note(event{kind: fault.Kind, index: everyone, ours: ours})()
	pass := func() { time.Sleep(fault.Length) }
	switch fault.Kind {
	case EtcdKilled:
		f.cluster.KillEtcd(t)
		pass()
		f.cluster.RestartEtcd(t)
	case APIKilled:
		f.cluster.KillAPI(t)
		pass()
		f.cluster.RestartAPI(t)
	case APIFrozen:
		f.cluster.FreezeAPI(t)
		pass()
		f.cluster.WakeAPI(t)
	case Storm:
		f.storm.Faults(storm(fault.Share))
		pass()
		f.storm.Faults(nil)
	case TokenRotated:
		f.ours.Access.Rotate(t)
		f.theirs.Access.Rotate(t)
	case LeaseDeleted:
		f.ours.Delete(t)
		f.ours.Ship(t)
	case LeaseBlanked:
		f.ours.Edit(t, func(l *coordinationv1.Lease) { l.Spec.HolderIdentity = nil })
	case LeaseEdited:
		f.ours.Edit(t, func(l *coordinationv1.Lease) {
			l.Labels["example.com/edited"] = fmt.Sprint(fault.Index)
			l.Spec.LeaseDurationSeconds = new(int32(1))
		})
	default:
		panic(fmt.Sprintf("the store's lane has %q", fault.Kind)) // a kind that nobody has written down here
	}
}

// storm answers a share of the requests as an overloaded API server and what stands before it do. Of the writes that
// are refused with a 5xx, half have been applied.
func storm(share float64) func(*http.Request) harness.Fate {
	return func(r *http.Request) harness.Fate {
		if rand.Float64() >= share {
			return harness.Fate{}
		}
		status := []int{
			http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
			http.StatusServiceUnavailable, http.StatusGatewayTimeout,
		}[rand.IntN(5)]
		if status == http.StatusTooManyRequests {
			return harness.Fate{Status: status, RetryAfter: time.Second}
		}
		return harness.Fate{Status: status, Applied: r.Method != http.MethodGet && rand.IntN(2) == 0}
	}
}
