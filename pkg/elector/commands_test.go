package elector

import (
	"context"
	"errors"
	"reflect"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock/clocktest"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
)

// hangs is a workload that never stops.
func hangs(ctx context.Context, _ Drain) Outcome {
	<-ctx.Done()
	return 0
}

func TestStepDownIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1, hangs)
		m := f.members[0]
		if err := m.StepDown("early"); !errors.Is(err, ErrNotLeading) {
			t.Errorf("of a standby: %v, want ErrNotLeading", err)
		}
		f.leader(20 * time.Second)
		for range 100 { // health must not crowd it out
			m.SetHealthy(true, "well")
		}
		if err := m.StepDown("first"); err != nil || m.Leadership().IsLeader {
			t.Errorf("of the leader: %v, leads %v; want nil, and that it leads no more", err, m.Leadership().IsLeader)
		}
		if err := m.StepDown("second"); !errors.Is(err, ErrDraining) {
			t.Errorf("a second one: %v, want ErrDraining", err)
		}
		m.cancel()
		m.Abandon()
		<-m.ended
		began := time.Now()
		if err := m.StepDown("late"); !errors.Is(err, ErrNotRunning) {
			t.Errorf("after the end: %v, want ErrNotRunning", err)
		}
		if err := m.Alive(t.Context()); err != nil {
			t.Errorf("a loop that has ended in good order is not stuck: %v", err)
		}
		if d := time.Since(began); d > time.Second {
			t.Errorf("it took %v to hear that it had ended", d)
		}
	})
}

// TestOrdersToAnElectionThatDoesNotRun: they wait for a while at most.
func TestOrdersToAnElectionThatDoesNotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		backend := memory.New()
		stuck := make(chan struct{})
		e, err := New(configured("web-0_a"), Deps{Store: backend.Store("default", "acme-1"), Clock: clocktest.Bubble{}, BootID: "boot"})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.StepDown("not begun"); !errors.Is(err, ErrNotLeading) {
			t.Errorf("before Run: %v, want ErrNotLeading", err)
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := e.Alive(short); err == nil {
			t.Error("before Run: alive")
		}
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- e.Run(ctx, Outputs{Publish: func(leadership.Leadership) { <-stuck }}) }()
		synctest.Wait() // it hangs in its first Publish
		began := time.Now()
		if err := e.StepDown("stuck"); !errors.Is(err, ErrNotRunning) {
			t.Errorf("of a stuck loop: %v, want ErrNotRunning", err)
		}
		if d := time.Since(began); d > 6*time.Second {
			t.Errorf("a stuck loop holds a command up for %v", d)
		}
		close(stuck)
		if err := e.Alive(t.Context()); err != nil {
			t.Errorf("once it turns again: %v", err)
		}
		end()
		<-ended
	})
}

// TestExitOnLoss: "not leading" is published first.
func TestExitOnLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 0, nil)
		m := f.join("web-0_a", func(c *Config, _ *parts) { c.ExitOnLoss = true })
		f.leader(20 * time.Second)
		m.store.Blackhole(true)
		select {
		case err := <-m.ended:
			if !errors.Is(err, ErrLeadershipLost) {
				t.Errorf("Run: %v, want ErrLeadershipLost", err)
			}
		case <-time.After(time.Minute):
			t.Fatal("it runs on")
		}
		if published := m.published(); published[len(published)-1].IsLeader {
			t.Error("it ended without having published that it does not lead")
		}
	})
}

// TestMailbox: orders that come before the loop takes one are one order, by the newest cause; one that nobody waits for any
// more is not taken.
func TestMailbox(t *testing.T) {
	var b mailbox
	first, second := b.put("first"), b.put("second")
	if first != second {
		t.Error("two orders in one mailbox")
	}
	b.giveUp(first)
	if o := b.take(); o != second || o.cause != "second" {
		t.Errorf("taken: %+v, want the second cause", o)
	}
	second.answer(ErrDraining)
	if <-first.done; !errors.Is(first.err, ErrDraining) {
		t.Errorf("answered %v, want that of the newer order", first.err)
	}
	third := b.put("third")
	b.giveUp(third)
	if o := b.take(); o != nil {
		t.Errorf("taken: %+v, which nobody waits for", o)
	}
}

// TestStepDownsAtOnce: of several that are asked at one instant, each is answered, and each nil is kept.
func TestStepDownsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1, hangs)
		m := f.leader(20 * time.Second)
		var taken atomic.Int32
		answers := make(chan error)
		for range 20 {
			go func() { answers <- m.StepDown("at once") }()
			go m.SetHealthy(true, "well")
		}
		for range 20 {
			switch err := <-answers; {
			case err == nil:
				taken.Add(1)
			case !errors.Is(err, ErrDraining):
				t.Errorf("%v, want nil or ErrDraining", err)
			}
		}
		if taken.Load() == 0 || m.Leadership().IsLeader {
			t.Errorf("%d were taken, leads %v", taken.Load(), m.Leadership().IsLeader)
		}
	})
}

// firedTimer is a timer whose instant has come.
type firedTimer chan struct{}

func (t firedTimer) C() <-chan struct{}    { return t }
func (firedTimer) Reset(bootclock.Instant) {}
func (firedTimer) Stop()                   {}

// TestEventsThatWaitHaveOneOrder has everything wait at once that can wake the loop, as after a pause of the process: it is
// taken in one order, and the mere passing of time comes last.
func TestEventsThatWaitHaveOneOrder(t *testing.T) {
	t.Parallel()
	for range 100 {
		e := &Elector{commands: newCommands()}
		l := &loop{e: e, events: make(chan event, 2), holdFailed: 3}
		timer := make(firedTimer, 1)
		timer <- struct{}{}
		ctx, end := context.WithCancel(t.Context())
		end()
		e.commands.stepDown.put("first")
		e.commands.stepDown.put("asked")
		l.events <- watchOpened{1}
		l.events <- replied{}
		e.Abandon()
		e.Leave()
		e.Prefer(Preference{Successor: "web-1"})
		e.Prefer(Preference{Successor: "web-2"})
		e.Answer(Answer{Pod: "web-3"})
		e.SetHealthy(true, "well")
		e.SetHealthy(false, "ill")

		var got []event
		for range 11 {
			got = append(got, l.next(ctx, timer))
		}
		want := []event{
			holdFailed{3}, health{why: "ill"}, prefer{Preference{Successor: "web-2"}}, wishAnswered{Answer{Pod: "web-3"}}, leave{}, terminate{}, abandon{}, stepDown{"asked"}, watchOpened{1}, replied{}, tick{},
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("taken in the order %+v, want %+v", got, want)
		}
	}
}
