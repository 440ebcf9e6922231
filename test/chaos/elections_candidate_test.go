//go:build linux

package chaos

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// candidate is the i-th of ours and the i-th of theirs: whatever befalls the one befalls the other.
type candidate struct {
	index              int
	ourLine, theirLine *harness.Proxy
	// pod holds all processes of both.
	pod *harness.Cgroup
	// clock is the pretended machine of ours; nil where it has none.
	clock *harness.ClockFile

	mu     sync.Mutex // guards the processes against being replaced
	ours   *harness.Sidecar
	theirs *harness.Peer
	// down: theirs is not to be started again for now.
	down bool
}

// ourName and theirName are the candidates' names, by index.
func ourName(i int) string   { return fmt.Sprintf("web-%d", i) }
func theirName(i int) string { return fmt.Sprintf("peer-%d", i) }

// leads reports whether the candidate of that side publishes now that it leads.
func (c *candidate) leads(side Target) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	leads, _ := c.theirs.Leads()
	if side == OurLeader {
		leads, _ = c.ours.Leads()
	}
	return leads
}

// lines does the same to both lines.
func (c *candidate) lines(do func(*harness.Proxy)) {
	do(c.ourLine)
	do(c.theirLine)
}

// signal sends a process signal to both, one right after the other. Theirs may have ended by itself.
func (c *candidate) signal(t *testing.T, s syscall.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.theirs.Signal(s)
	if err := c.ours.Signal(s); err != nil {
		t.Errorf("%v; the end of its log:\n%s", err, c.ours.Tail(10))
	}
}

// freeze stops the whole pods.
func (c *candidate) freeze() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pod.Add(c.theirs.PID()) // ours was born in it
	c.pod.Freeze()
}

// stepDown asks ours to hand over. Theirs knows no such thing: its way to hand over is to be restarted.
func (c *candidate) stepDown(t *testing.T) {
	c.setDown(true)
	c.mu.Lock()
	_ = c.theirs.Signal(syscall.SIGTERM)
	status := c.ours.Post("/step-down")
	theirs := c.theirs.Process
	c.mu.Unlock()
	if status != http.StatusAccepted && status != http.StatusConflict { // it leads, or it does not
		t.Errorf("POST /step-down on %s: status %d", ourName(c.index), status)
	}
	awaitExit(t, theirs)
	c.setDown(false)
}

// end sends both a signal that ends them and waits until they have ended.
func (c *candidate) end(t *testing.T, s syscall.Signal) {
	c.setDown(true)
	c.signal(t, s)
	c.mu.Lock()
	ours, theirs := c.ours.Process, c.theirs.Process
	c.mu.Unlock()
	awaitExit(t, ours)
	awaitExit(t, theirs)
}

// start starts both again, in the same pods.
func (c *candidate) start(t *testing.T, e *harness.Election) {
	defer c.setDown(false)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ours.Start(t, e)
}

func (c *candidate) setDown(down bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = down
}

// supervise starts theirs again whenever it has ended by itself, at once and for ever, which is kinder than a
// kubelet's back-off. Ours does not end by itself: that is a fault.
func (c *candidate) supervise(t *testing.T, stop <-chan struct{}) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		c.mu.Lock()
		if !c.down && !c.theirs.Alive() {
			c.theirs.Start(t)
		}
		c.mu.Unlock()
	}
}

// weigh says what the process of ours holds.
func (c *candidate) weigh() resources {
	c.mu.Lock()
	defer c.mu.Unlock()
	return weigh(c.ours.PID())
}

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
