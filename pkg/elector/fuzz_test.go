package elector

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// FuzzMachine plays a program of bytes against one candidate: clocks that jump, requests that are answered, lost, kept
// back and landed late, records that nobody sane would write, by the store and past it, watch events old and forged,
// commands in any order. An account of its own judges every step by what the candidate was shown and what it sent.
// Afterwards the world turns honest, and the candidate must lead: nothing that it heard may wedge it.
func FuzzMachine(f *testing.F) {
	for _, program := range programs {
		f.Add([]byte(program))
	}
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 512 {
			return // longer ones take longer and reach no further
		}
		newOrdeal(t, program).run()
	})
}

// ordeal is one candidate under a program.
type ordeal struct {
	t       *testing.T
	m       *machine
	program []byte
	now     moment
	store   simStore
	kept    []*request
	drain   int
	wake    bootclock.Instant
	account *account
	full    bool // the volume takes no hold

	watching, stands bool // a watch was asked for, and has not ended; it has opened
}

// spans are the steps in which time passes.
var spans = [...]time.Duration{
	0, time.Millisecond, 5 * time.Millisecond, 50 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2 * time.Second, 3 * time.Second, 5 * time.Second, 7 * time.Second, 9999 * time.Millisecond,
	10 * time.Second, 15 * time.Second, 33 * time.Second, time.Hour,
}

// newOrdeal makes the candidate that the program's first byte asks for: with or without a predecessor's hold, to lead
// unhealthy or not, and with a chance of its own.
func newOrdeal(t *testing.T, program []byte) *ordeal {
	o := &ordeal{t: t, program: program, now: moment{boot: bootclock.Instant(transcriptBoot), wall: transcriptEpoch}}
	kind := o.byte()
	cfg := configured("web-0_pod")
	cfg.LeadUnhealthy = kind&4 != 0
	o.store.version = 100
	var hold *HoldState
	if kind&3 == 1 {
		hold = o.predecessor(cfg)
	}
	o.m = newMachine(cfg, "boot", hold, rand.New(rand.NewPCG(uint64(kind), 1)).Float64)
	o.account = newAccount(t, o.m, hold)
	return o
}

// predecessor leaves a Lease that it holds, and says so in its hold.
func (o *ordeal) predecessor(cfg Config) *HoldState {
	acquired := o.now.wall.Add(-time.Minute)
	o.store.put(lease.Record{
		UID: "u1", Holder: string(cfg.Identity), DurationSeconds: 15, AcquireTime: acquired, RenewTime: o.now.wall,
		Mark: lease.HeldMark(string(cfg.Identity), cfg.Duration), Transitions: 4, Workload: cfg.Workload,
	})
	return &HoldState{
		UID: "u1", AcquireTime: acquired, Token: "77", Transitions: 4, Since: acquired, Leading: true,
		ValidUntil: o.now.boot.Add(9 * time.Second),
	}
}

// byte returns the program's next byte; 0 at its end.
func (o *ordeal) byte() byte {
	if len(o.program) == 0 {
		return 0
	}
	b := o.program[0]
	o.program = o.program[1:]
	return b
}

func (o *ordeal) run() {
	o.take(tick{})
	for len(o.program) > 0 && !o.m.over {
		o.deed()
	}
	o.recover()
}

// deed does what the next byte says.
func (o *ordeal) deed() {
	b := o.byte()
	if b >= 250 { // apart from the rest, so that the programs in testdata go on meaning the same
		o.succeed(b)
		return
	}
	switch b % 20 {
	case 0:
		o.pass(spans[o.byte()%byte(len(spans))])
		o.take(tick{})
	case 1:
		o.pass(max(0, o.wake.Sub(o.now.boot)))
		o.take(tick{})
	case 2:
		o.answer(o.store.perform)
	case 3:
		o.answer(func(r *request) (lease.Record, error) { _, _ = o.store.perform(r); return lease.Record{}, errTimeout })
	case 4:
		o.answer(func(*request) (lease.Record, error) { return lease.Record{}, errTimeout })
	case 5:
		err := []error{lease.ErrConflict, lease.ErrNotFound, lease.ErrForbidden, lease.ErrExists, errors.New("500")}[o.byte()%5]
		o.answer(func(*request) (lease.Record, error) { return lease.Record{}, err })
	case 6:
		forged := o.forge()
		_ = o.byte()
		o.answer(func(*request) (lease.Record, error) { return forged, nil })
	case 7:
		o.answer(func(r *request) (lease.Record, error) { o.kept = append(o.kept, r); return lease.Record{}, errTimeout })
	case 8:
		if len(o.kept) > 0 {
			_, _ = o.store.perform(o.kept[0])
			o.kept = o.kept[1:]
		}
	case 9:
		o.store.put(o.forge())
	case 10:
		o.store.delete()
	case 11:
		if back := int(o.byte()); back < len(o.store.history) {
			o.take(changed{Event: o.store.history[len(o.store.history)-1-back]})
		}
	case 12:
		o.take(changed{Event: lease.Event{Record: o.forge(), Deleted: o.byte()%4 == 0}})
	case 13:
		o.store.version = max(1, o.store.version-int(o.byte()))
		if o.store.record != nil {
			o.store.put(*o.store.record)
		}
	case 14:
		o.take([]event{watchOpened{}, watchClosed{}, watchClosed{err: lease.ErrExpired}, watchClosed{err: errors.New("reset")}}[o.byte()%4])
	case 15:
		o.take([]event{health{healthy: true}, stepDown{cause: "asked"}, terminate{}, abandon{}, health{}}[o.byte()%5])
	case 16:
		if number := o.drain - int(o.byte()%3); number > 0 && (number < o.m.waits.number || o.m.waits.open) {
			o.take(stopWaitEnded{number, WorkloadStopped})
		}
	case 17:
		o.now.wall = o.now.wall.Add(spans[o.byte()%byte(len(spans))] - time.Minute)
		o.take(tick{})
	case 19:
		o.full = !o.full
	default:
		for range 8 {
			o.honest()
		}
	}
}

// pass lets time pass on both clocks.
func (o *ordeal) pass(d time.Duration) {
	o.now = moment{boot: o.now.boot.Add(d), wall: o.now.wall.Add(d)}
}

// answer ends the request in flight, if there is one.
func (o *ordeal) answer(by func(*request) (lease.Record, error)) {
	if r := o.m.inflight; r != nil {
		reply, err := by(r)
		o.take(replied{reply: reply, err: err})
	}
}

// take hands an event to the candidate, and what comes of it to the account.
func (o *ordeal) take(e event) {
	if o.m.over {
		return
	}
	o.now.boot++ // no two events at one instant
	e = newest(o.m, e)
	switch e.(type) { // what a watch sends that there is not is illegal: TestIllegalEvents
	case changed, watchClosed:
		if !o.watching {
			return
		}
	case watchOpened:
		if !o.watching || o.stands {
			return
		}
		o.stands = true
	}
	o.account.hear(o.now, e, o.m.inflight)
	out, err := o.m.step(o.now, e)
	if err != nil {
		o.t.Fatalf("%T: %v", e, err)
	}
	if _, closed := e.(watchClosed); closed {
		o.watching = false
	}
	if out.watch != nil {
		o.watching, o.stands = true, false
	}
	if out.stopWait != nil {
		o.drain = out.stopWait.number
	}
	o.wake = out.wake
	if _, order := e.(stepDown); order && out.stepDownErr == nil {
		o.account.ordered = true
	}
	if out.hold != nil && !o.full {
		o.account.disk = 0
		if out.hold.Leading {
			o.account.disk = out.hold.ValidUntil
		}
	}
	o.account.judge(o.now, out)
	if out.hold != nil && o.full {
		o.take(holdFailed{})
	}
}

// forge makes a record of the next bytes. It may bear a renew time that the candidate did send, or did long ago.
func (o *ordeal) forge() lease.Record {
	shape := o.byte()
	r := lease.Record{UID: "u1", Version: lease.Version(strconv.Itoa(1 + o.store.version + int(int8(o.byte())))), DurationSeconds: 15}
	if lease.Version("1").Compare(r.Version) > 0 || r.Version[0] == '-' || r.Version == "0" {
		r.Version = "1"
	}
	if o.store.record != nil && shape&1 != 0 {
		r = *o.store.record
		r.Version = lease.Version(strconv.Itoa(o.store.version + 1))
	}
	if shape&2 != 0 {
		r.Holder = []string{"web-0_pod", "web-1_pod", "client-go", ""}[o.byte()%4]
	}
	if shape&4 != 0 {
		r.RenewTime = o.account.renewTime(int(o.byte()), o.now.wall)
	}
	if shape&8 != 0 {
		r.Mark = []string{"web-0_pod 15", "web-1_pod 60", "x", lease.ReleasedMark(r.RenewTime), "web-0_pod 2147483647", ""}[o.byte()%6]
	}
	if shape&16 != 0 {
		r.DurationSeconds = []int32{0, 1, 3600, -7, 1<<31 - 1}[o.byte()%5]
		r.Transitions = []int32{-3, 0, 1<<31 - 1, 7}[o.byte()%4]
	}
	if shape&32 != 0 {
		r.UID = "u2"
	}
	if shape&64 != 0 {
		r.PreferredHolder = []string{"web-0_pod", "web-1_pod"}[o.byte()%2]
	}
	if shape&128 != 0 {
		r.Workload = []string{"deployment/web", "", "deployment/other"}[o.byte()%3]
	}
	return r
}

// honest lets the next thing happen as it does when all is well.
func (o *ordeal) honest() {
	switch newest := len(o.store.history) - 1; {
	case o.m.inflight != nil:
		o.pass(time.Millisecond)
		o.answer(o.store.perform)
	case o.watching && newest >= 0 && o.store.history[newest].Record.Version.Compare(o.m.know.version) > 0:
		o.take(changed{Event: o.store.history[newest]})
	default:
		o.pass(max(0, o.wake.Sub(o.now.boot)))
		o.take(tick{})
	}
}

// recover ends all faults, and sees the candidate lead. The store counts on from beyond all that was ever shown of it.
func (o *ordeal) recover() {
	if o.m.terminating || o.m.leaving || o.m.over {
		return
	}
	o.take(health{healthy: true, why: "the end"})
	o.kept, o.full = nil, false
	o.store.version += 1 << 12
	if r := o.store.record; r != nil {
		kept := *r
		kept.Workload = "deployment/web"
		o.store.put(kept)
	}
	if o.m.role == draining && !o.m.drain.workloadStopped {
		o.take(stopWaitEnded{o.drain, WorkloadStopped})
	}
	for range 100 {
		o.honest()
	}
	if o.m.rights.mayNotRead() {
		o.t.Fatalf("all is well again, and a refused read is not tried again: role %v, not ready for %q", o.m.role, o.m.unready())
	}
	o.pass(max(0, o.m.know.notBefore.Sub(o.now.boot))) // an absurd duration is waited for
	for range 1000 {
		if o.m.role == leading || o.m.over {
			if why := o.m.unready(); !o.m.over && (why != "" || len(o.m.effort.failures) > 0) {
				o.t.Fatalf("all is well again, and the leader is not ready for %q, or counts failures: %v", why, o.m.effort.failures)
			}
			return
		}
		if o.m.role == draining && !o.m.drain.workloadStopped {
			o.take(stopWaitEnded{o.drain, WorkloadStopped})
		}
		o.honest()
	}
	o.t.Fatalf("all is well again, and the candidate does not lead: role %v, %+v", o.m.role, o.m.know)
}
