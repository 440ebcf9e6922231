//go:build linux

package work

import (
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

const (
	// exitBound is how long a sidecar may take to end that was asked to.
	exitBound = time.Minute
	// reguard is how long nothing else is done to a replica whose guard was killed: without one it can bear no second
	// fault, and it gets another with the next renewal.
	reguard = 2 * time.Second
)

// play lets both lanes of a schedule come true at once, and returns when the last fault is over.
func (f *field) play(t *testing.T, s Schedule) {
	start := now()
	var lanes sync.WaitGroup
	for _, lane := range []struct {
		faults Lane
		main   bool
	}{{s.Main, true}, {s.Side, false}} {
		lanes.Go(func() {
			for _, fault := range lane.faults {
				time.Sleep(start.Add(fault.At).Sub(now()))
				if now().Sub(start) > f.span {
					return // faults took longer than drawn
				}
				if lane.main {
					f.revive(t)
				}
				f.strike(t, fault)
			}
		})
	}
	lanes.Wait()
}

// revive starts sidecars again that have ended by themselves, which is a fault.
func (f *field) revive(t *testing.T) {
	for _, r := range f.replicas {
		if !r.sidecar.Alive() {
			t.Errorf("%s  web-%d (%s) has ended by itself; the end of its log:\n%s", f.since(now()), r.index, r.mode, r.sidecar.Tail(10))
			r.sidecar.Start(t, f.election)
		}
	}
}

// aim returns whom a fault hits.
func (f *field) aim(fault Fault) *replica {
	if r := f.leader(); fault.Leader && r != nil {
		return r
	}
	return f.replicas[fault.Index]
}

// strike does a fault to a replica, and returns when it is over.
func (f *field) strike(t *testing.T, fault Fault) {
	r := f.aim(fault)
	switch fault.Kind {
	case HealedLate:
		f.healedLate(t, r, fault)
	case WhileDraining:
		over := f.note(string(StepDown), r.index, false)
		r.sidecar.Post("/step-down") // on a standby, or while it is frozen, it does nothing
		over()
		// A program takes up to four seconds to stop.
		time.Sleep(time.Duration(fault.Phase * fault.Phase * float64(2*time.Second)))
		fault.Kind, fault.Then = fault.Then, none
		f.single(t, r, fault)
	default:
		f.single(t, r, fault)
	}
}

// healedLate cuts the line, lets the term run towards its end and does something else to the replica meanwhile, and
// heals the line near that end.
func (f *field) healedLate(t *testing.T, r *replica, fault Fault) {
	over := f.note(fault.detail(), r.index, false)
	defer over()
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
		then.Go(func() { f.single(t, r, other) })
	}
	time.Sleep(until.Add(fault.Offset).Sub(now()))
	r.line.Heal()
	then.Wait()
}

// detail says what the fault is, without its time.
func (f Fault) detail() string { return f.String()[len("123456789  "):] }

// single does one thing to a replica.
func (f *field) single(t *testing.T, r *replica, fault Fault) {
	over := f.note(fault.detail(), r.index, fault.Kind == PodFrozen)
	defer over()
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
		}
		pass()
		for _, each := range f.replicas {
			each.line.Heal()
		}
	case Unhealthy:
		r.sicken(t)
		pass()
		r.heal()
	case StepDown:
		r.sidecar.Post("/step-down")
		pass()
	case Terminated:
		f.terminate(t, r, fault)
	case SidecarKilled:
		f.end(t, r, syscall.SIGKILL)
		pass()
		r.sidecar.Start(t, f.election)
	case GuardKilled:
		r.signalGuard(syscall.SIGKILL)(0)
		time.Sleep(reguard)
	case CommandKilled:
		r.signalCommand(t, syscall.SIGKILL)
		pass()
	case SidecarStopped:
		f.signal(t, r, syscall.SIGSTOP)
		pass()
		f.signal(t, r, syscall.SIGCONT)
	case GuardStopped:
		wake := r.signalGuard(syscall.SIGSTOP)
		pass()
		wake(syscall.SIGCONT)
	case PodFrozen:
		r.pod.Freeze()
		pass()
		r.pod.Thaw()
	default:
		t.Errorf("nobody knows how to do %q", fault.Kind) // a kind that nobody has written down here
	}
}

// terminate ends the pod's sidecar as its kind of end says, and starts it again.
func (f *field) terminate(t *testing.T, r *replica, fault Fault) {
	if r.mode != child && fault.Program != sidecarOnly {
		r.quiet.Lock() // the pod ends: no container is started again
		defer r.quiet.Unlock()
		r.signalCommand(t, syscall.SIGTERM)
		if fault.Program == programFirst {
			time.Sleep(fault.Length / 2)
		}
	}
	f.end(t, r, syscall.SIGTERM)
	time.Sleep(fault.Length / 2)
	r.sidecar.Start(t, f.election)
}

func (f *field) signal(t *testing.T, r *replica, s syscall.Signal) {
	if err := r.sidecar.Signal(s); err != nil {
		t.Errorf("%v; it has ended by itself; the end of its log:\n%s", err, r.sidecar.Tail(10))
	}
}

// end sends the sidecar a signal that ends it, and waits until it has.
func (f *field) end(t *testing.T, r *replica, s syscall.Signal) {
	f.signal(t, r, s)
	select {
	case <-r.sidecar.Exited():
	case <-time.After(exitBound):
		t.Errorf("web-%d still runs %s after %v; the end of its log:\n%s", r.index, exitBound, s, r.sidecar.Tail(10))
		r.sidecar.Stop(0)
	}
}
