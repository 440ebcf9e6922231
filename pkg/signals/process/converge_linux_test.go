package process

import (
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// TestProcessHandlesTheRightSignalLast: whatever processes, guard and leaderships do, in the end the process has handled the signal for
// the leadership that holds, where it handles pending signals in either order. On the way no process gets a gain without an order of the
// guard that takes it back in time, or a signal after its end.
func TestProcessHandlesTheRightSignalLast(t *testing.T) {
	for range 20 { // of 100 histories each
		rapid.Check(t, func(rt *rapid.T) { checkHistory(t, rt) })
	}
}

func checkHistory(t *testing.T, rt *rapid.T) {
	w := newWorld(t, rt)
	for range rapid.IntRange(1, 40).Draw(rt, "events") {
		w.event()
	}
	w.pod.deaf, w.pod.meanwhile = false, nil
	for pid := range w.pod.actors {
		if pid != w.web {
			w.pod.end(w.pod.actors[pid])
		}
	}
	if w.pod.actors[w.web] == nil {
		w.start()
	}
	want := usr2
	l := leadership.Leadership{}
	if rapid.Bool().Draw(rt, "leads in the end") {
		want, l = usr1, w.term(time.Hour)
	}
	w.pod.apply(l)
	w.pass(5 * time.Second)
	w.wake() // where it was frozen
	w.pass(30 * time.Second)
	if got := w.pod.actors[w.web].handled; got != want {
		rt.Fatalf("it has handled %s last; want %s\n%s", got, want, w.pod.out.String())
	}
}

// world is a pod with a guard that does as it is ordered.
type world struct {
	rt    *rapid.T
	pod   *pod
	web   int // the newest web process
	token int
	fired procfs.Order // the order that the guard has carried out
	again bool         // the guard sends its signal again, as the gain was pending
}

func newWorld(t *testing.T, rt *rapid.T) *world {
	p := &pod{t: t, actors: map[int]*actor{}, now: transcriptBoot}
	p.m = newMachine(Config{Target: Target{Name: "web"}, OnElected: usr1, OnLost: usr2})
	w := &world{rt: rt, pod: p, web: 6}
	p.sent = func(to procfs.Process, s Signo) {
		if order := p.m.order; s == usr1 && (order.ID != to.ID || !p.now.Before(order.Deadline)) {
			rt.Fatalf("a gain to %s while the guard has %+v\n%s", to, order, p.out.String())
		}
	}
	return w
}

func (w *world) start() {
	w.web++
	w.pod.start(strconv.Itoa(w.web), map[string]string{"catches": "USR1,USR2"})
}

func (w *world) term(d time.Duration) leadership.Leadership {
	return leadership.Leadership{IsLeader: true, Token: string(rune('a' + w.token%26)), ValidUntil: w.pod.now.Add(d)}
}

// wake has the process handle what is pending, in either order.
func (w *world) wake() {
	a := w.pod.actors[w.web]
	if a == nil || a.State != 'T' {
		return
	}
	order := []Signo{usr1, usr2}
	if rapid.Bool().Draw(w.rt, "highest first") {
		order = []Signo{usr2, usr1}
	}
	for _, s := range order {
		if a.Pending>>(s-1)&1 == 1 {
			a.handled = s
		}
	}
	a.State, a.Pending = 'S', 0
	if w.again {
		a.handled, w.again = usr2, false
	}
}

// event is something that happens.
func (w *world) event() {
	p := w.pod
	a := p.actors[w.web]
	during := func() leadership.Leadership {
		switch rapid.IntRange(0, 3).Draw(w.rt, "leadership") {
		case 0:
			return leadership.Leadership{}
		case 1:
			w.token++
		}
		return w.term(time.Duration(rapid.IntRange(0, 4000).Draw(w.rt, "valid, ms")) * time.Millisecond)
	}
	switch kind := rapid.IntRange(0, 9).Draw(w.rt, "event"); {
	case kind < 3:
		p.apply(during())
	case kind == 3:
		l := during()
		p.meanwhile = &l
		w.pass(time.Second)
	case kind == 4 && a == nil:
		w.start()
	case kind == 4:
		p.end(a)
		w.again = false
	case kind == 5 && a != nil && a.State == 'S':
		a.State = 'T'
	case kind == 5, kind == 6:
		w.wake()
	case kind == 7:
		p.deaf = rapid.Bool().Draw(w.rt, "the guard fails")
	default:
		w.pass(time.Duration(rapid.IntRange(1, 3000).Draw(w.rt, "passes, ms")) * time.Millisecond)
	}
}

// pass lets time go by, and the machine and the guard act when theirs has come.
func (w *world) pass(d time.Duration) {
	p := w.pod
	for end := p.now.Add(d); ; {
		p.act()
		next := min(end, max(p.next, p.now.Add(time.Millisecond)))
		if p.next.IsZero() {
			next = end
		}
		if o := p.m.order; o.PID != 0 && !o.Equal(w.fired) && o.Deadline < next {
			next = max(o.Deadline, p.now)
		}
		p.now = next
		w.guard()
		if p.now >= end {
			return
		}
	}
}

// guard carries out an order whose deadline has come.
func (w *world) guard() {
	o := w.pod.m.order
	if o.PID == 0 || w.pod.now.Before(o.Deadline) || o.Equal(w.fired) {
		return
	}
	w.fired = o
	if a := w.pod.actors[o.PID]; a != nil && a.ID == o.ID {
		w.again = a.Pending.Has(o.Gain)
		_ = w.pod.signal(a.Process, Signo(o.Signal))
	}
}
