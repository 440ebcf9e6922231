//go:build linux

package chaos

import (
	"sync"
	"syscall"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// reguard is how long nothing else is done to a replica whose guard was killed: without one it can bear no second fault,
// and it gets another with the next renewal.
const reguard = 2 * time.Second

// revive starts sidecars again that have ended by themselves, which is a fault.
func (f *fleet) revive() {
	for _, r := range f.replicas {
		if !r.sidecar.Alive() {
			f.t.Errorf("%s  web-%d (%s) has ended by itself; the end of its log:\n%s", f.since(now()), r.index, r.mode, r.sidecar.Tail(10))
			r.sidecar.Start(f.t, f.election)
		}
	}
}

// aim returns whom a fault hits.
func (f *fleet) aim(fault Fault) *replica {
	if r := f.leader(); fault.Target == OurLeader && r != nil {
		return r
	}
	return f.replicas[fault.Index]
}

// strike does a fault to a replica, and returns when it is over.
func (f *fleet) strike(fault Fault) {
	r := f.aim(fault)
	switch fault.Kind {
	case HealedLate:
		f.healedLate(r, fault)
	case WhileDraining:
		over := f.hit(r, StepDown, string(StepDown))
		r.sidecar.Post("/step-down") // on a standby, or while it is frozen, it does nothing
		over()
		// A program takes up to four seconds to stop.
		time.Sleep(time.Duration(fault.Phase * fault.Phase * float64(2*time.Second)))
		fault.Kind, fault.Then = fault.Then, none
		f.single(r, fault)
	default:
		f.single(r, fault)
	}
}

// healedLate cuts the line, lets the term run towards its end and does something else to the replica meanwhile, and
// heals the line near that end.
func (f *fleet) healedLate(r *replica, fault Fault) {
	defer f.hit(r, fault.Kind, fault.detail())()
	defer r.line.Heal()
	r.line.CutWays(fault.Way)
	until := r.sidecar.State().ValidUntil
	if until.IsZero() { // a standby
		until = now().Add(f.election.RenewDeadline())
	}
	time.Sleep(time.Duration(fault.Phase * float64(until.Sub(now()))))
	var then sync.WaitGroup
	if fault.Then != none {
		other := Fault{Kind: fault.Then, Length: max(0, until.Add(fault.Offset).Sub(now())) + f.election.Duration/4}
		then.Go(func() { f.single(r, other) })
	}
	time.Sleep(until.Add(fault.Offset).Sub(now()))
	r.line.Heal()
	then.Wait()
}

// single does one thing to a replica.
func (f *fleet) single(r *replica, fault Fault) {
	defer f.hit(r, fault.Kind, fault.detail())()
	pass := func() { time.Sleep(fault.Length) }
	switch fault.Kind {
	case Cut:
		r.line.CutWays(fault.Way)
		pass()
		r.line.Heal()
	case Reset:
		r.line.Reset()
		pass()
	case SlowWrites:
		fate := harness.Fate{Late: fault.By}
		if fault.Answer {
			fate = harness.Fate{Slow: fault.By}
		}
		r.setFate(fate)
		pass()
		r.setFate(harness.Fate{})
	case APIAway:
		for _, each := range f.replicas {
			each.line.CutWays(fault.Way)
			defer each.line.Heal()
		}
		pass()
	case Unhealthy:
		r.sicken()
		pass()
		r.heal()
	case StepDown:
		r.sidecar.Post("/step-down")
		pass()
	case Terminated:
		f.terminate(r, fault)
	case Killed:
		f.end(r, syscall.SIGKILL)
		pass()
		r.sidecar.Start(f.t, f.election)
	case GuardKilled:
		r.signalGuard(syscall.SIGKILL)(0)
		time.Sleep(reguard)
	case CommandKilled:
		r.signalCommand(syscall.SIGKILL)
		pass()
	case Stopped:
		f.signal(r, syscall.SIGSTOP)
		pass()
		f.signal(r, syscall.SIGCONT)
	case GuardStopped:
		wake := r.signalGuard(syscall.SIGSTOP)
		pass()
		wake(syscall.SIGCONT)
	case PodFrozen:
		r.pod.Freeze()
		pass()
		r.pod.Thaw()
	default:
		f.t.Errorf("nobody knows how to do %q", fault.Kind) // a kind that nobody has written down here
	}
}

// terminate ends the pod's sidecar as its kind of end says, and starts it again.
func (f *fleet) terminate(r *replica, fault Fault) {
	if r.mode != child && fault.Program != sidecarOnly {
		r.quiet.Lock() // the pod ends: no container is started again
		defer r.quiet.Unlock()
		r.signalCommand(syscall.SIGTERM)
		if fault.Program == programFirst {
			time.Sleep(fault.Length / 2)
		}
	}
	f.end(r, syscall.SIGTERM)
	time.Sleep(fault.Length / 2)
	r.sidecar.Start(f.t, f.election)
}

func (f *fleet) signal(r *replica, s syscall.Signal) {
	if err := r.sidecar.Signal(s); err != nil {
		f.t.Errorf("%v; it has ended by itself; the end of its log:\n%s", err, r.sidecar.Tail(10))
	}
}

// end sends the sidecar a signal that ends it, and waits until it has.
func (f *fleet) end(r *replica, s syscall.Signal) {
	f.signal(r, s)
	awaitExit(f.t, r.sidecar.Process)
}
