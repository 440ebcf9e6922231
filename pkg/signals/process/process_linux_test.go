package process

import (
	"context"
	"errors"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/internal/sight"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

func TestLeadershipsReachTheProcessOnce(t *testing.T) {
	name := unique(t)
	a := python(t, name, catchesUsr)
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: usr1, OnLost: usr2})
	r.lose()
	a.says(t, "SIGUSR2")
	until := r.lead("1", time.Minute)
	a.says(t, "SIGUSR1")
	want := procfs.Order{ID: state(t, a.pid()).ID, Deadline: until, Signal: syscall.Signal(usr2), Gain: syscall.Signal(usr1)}
	if got := r.guard.last(); !got.Equal(want) {
		t.Errorf("the guard has %+v; want %+v", got, want)
	}
	if until = r.lead("1", 2*time.Minute); r.guard.last().Deadline != until {
		t.Error("a renewal did not move the guard's deadline")
	}
	// One at a time: signals that wait together are handled in no order.
	hears := func(want string) {
		t.Helper()
		if got := <-a.lines; got != want {
			t.Errorf("got %s; want %s: a leadership is signalled once", got, want)
		}
	}
	r.lead("2", time.Minute) // a new term without a gap
	hears("SIGUSR1")
	r.lose()
	r.lose()
	hears("SIGUSR2")
	if got := r.guard.last(); !got.Equal(procfs.Order{}) {
		t.Errorf("the guard has %+v after the loss; want nothing", got)
	}
	r.lead("3", time.Minute)
	hears("SIGUSR1")
}

// A process that came later gets the signal for the leadership that holds then, and its crash while leading is reported, once.
func TestRestartedProcessGetsTheLeadership(t *testing.T) {
	name := unique(t)
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: usr1, OnLost: usr2})
	r.looking()
	r.lose()
	r.sees("nothing found yet", sight.Unknown, sight.Unknown)
	a := python(t, name, catchesUsr)
	a.says(t, "SIGUSR2")
	r.lead("1", time.Minute)
	a.says(t, "SIGUSR1")
	a.end()
	<-r.crashes
	b := python(t, name, catchesUsr)
	b.says(t, "SIGUSR1")
	r.lose()
	b.says(t, "SIGUSR2")
	b.end()
	r.within(5*time.Second, "its end is noted", func() bool { return strings.Count(r.log.String(), "the process has ended") == 2 })
	c := python(t, name, catchesUsr)
	c.says(t, "SIGUSR2")
	if n := len(r.crashes); n != 0 {
		t.Errorf("%d crashes reported while standing by", n)
	}
}

// A master that is killed leaves workers at work, which bear its name: they get their stop, and are waited for.
func TestOrphansOfACrashAreEnded(t *testing.T) {
	name := unique(t)
	a := python(t, name, `
for _ in range(2):
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        while True: time.sleep(60)
time.sleep(0.2)`)
	r := newRig(t, Config{Target: Target{Name: name}, OnLost: term})
	r.lead("1", time.Minute)
	if err := a.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	r.within(5*time.Second, "its end is seen", func() bool {
		_ = r.apply(r.term("1", r.clock.Now().Add(time.Minute)))
		return len(r.Process.crashes) > 0
	})
	_ = r.apply(leadership.Leadership{}) // it says that there are two
	if err := r.stopsWithin(5 * time.Second); err != nil {
		t.Errorf("the workers work on: %v", err)
	}
	r.lose()
}

func BenchmarkLook(b *testing.B) {
	target := Target{Name: "nobody-is-called-so"}
	for b.Loop() {
		all, err := procfs.Read()
		if err != nil {
			b.Fatal(err)
		}
		_, _, _ = target.find(all)
		b.ReportMetric(float64(len(all)), "processes")
	}
}

// soon runs f, which must return within a second: what it might wait for takes longer.
func soon(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(time.Second):
		t.Errorf("%s takes more than a second", what)
	}
}

// A gain that leaves a loss its time holds up nobody: neither State and Close, nor an Apply whose context has ended.
func TestWaitingGainHoldsUpNobody(t *testing.T) {
	name := unique(t)
	a := python(t, name, catchesUsr)
	r := newRig(t, Config{Target: Target{Name: name}, OnElected: usr1, OnLost: usr2})
	r.lose()
	a.says(t, "SIGUSR2")
	r.cfg.Clock = fallenClock{by: 20 * time.Second} // the loss has its time for so long
	lead := r.term("1", r.clock.Now().Add(time.Hour))
	apply := func(ctx context.Context, done chan<- struct{}) { _ = r.Apply(ctx, lead); close(done) }

	ctx, cancel := context.WithCancel(t.Context())
	applied := make(chan struct{})
	go apply(ctx, applied)
	time.Sleep(100 * time.Millisecond) // it waits by now
	soon(t, "State while a gain waits", func() { r.State(false) })
	soon(t, "Apply, once its context has ended,", func() { cancel(); <-applied })

	running, stop := context.WithCancel(t.Context())
	ran := make(chan struct{})
	go func() { defer close(ran); r.Run(running) }() // goes on with that gain
	time.Sleep(100 * time.Millisecond)
	soon(t, "Apply with an ended context while Run has a gain that waits", func() { again := make(chan struct{}); apply(ctx, again) })
	soon(t, "State while Run has a gain that waits", func() { r.State(false) })
	stop()
	<-ran

	applied = make(chan struct{})
	go apply(t.Context(), applied)
	time.Sleep(100 * time.Millisecond)
	soon(t, "Close while a gain waits", func() { _ = r.Close() })
	<-applied
}

// A look at /proc that takes long holds up nobody either.
func TestPendingLookHoldsUpNobody(t *testing.T) {
	r := newRig(t, Config{Target: Target{Name: unique(t)}, OnElected: usr1, OnLost: usr2})
	looking, released := make(chan struct{}, 100), make(chan struct{})
	release := sync.OnceFunc(func() { close(released) })
	t.Cleanup(release)
	r.read = func() (procfs.Table, error) {
		looking <- struct{}{}
		<-released
		return procfs.Read()
	}
	ctx, cancel := context.WithCancel(t.Context())
	applied := make(chan error, 1)
	go func() { applied <- r.Apply(ctx, r.term("1", r.clock.Now().Add(time.Hour))) }()
	<-looking // Apply's own
	r.looking()
	soon(t, "State while a look is pending", func() { r.State(false) })
	var got error
	soon(t, "Apply, once its context has ended,", func() { cancel(); got = <-applied })
	if !errors.Is(got, context.Canceled) {
		t.Errorf("got %v; want %v", got, context.Canceled)
	}
	soon(t, "the next Apply with an ended context", func() { _ = r.Apply(ctx, leadership.Leadership{}) })
	release()
	r.lose()
}

// A wait costs nothing; work costs what it takes.
func TestLookCostsProcessorTime(t *testing.T) {
	m := startMeter()
	time.Sleep(200 * time.Millisecond)
	if cost := m.read(); cost > 100*time.Millisecond {
		t.Errorf("a wait of 200 ms costs %s", cost)
	}
	m = startMeter()
	worked := 0
	for before := processorTime(); processorTime()-before < 20*time.Millisecond; {
		worked++
	}
	t.Logf("looked at the clock %d times", worked)
	if cost := m.read(); cost < 15*time.Millisecond {
		t.Errorf("20 ms of work cost %s", cost)
	}
}
