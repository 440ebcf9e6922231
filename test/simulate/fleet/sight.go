//go:build linux

package fleet

import (
	"context"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/sight"
)

// eye is what a sight looks at.
type eye string

const (
	eyeChild   eye = "child"    // the child with all that it started
	eyeProcess eye = "process"  // the process with all that it started
	eyeLock    eye = "run-lock" // who holds the lock
	eyeHealth  eye = "health"   // the main process alone: its endpoint is gone while its workers still work
)

// eyes returns what can see such a workload.
func (k workload) eyes(health bool) (of []eye) {
	switch k {
	case childWork:
		of = append(of, eyeChild)
	case processWork:
		of = append(of, eyeProcess)
	case lockWork, carelessWork:
		of = append(of, eyeLock)
	case noWork, unseenWork:
	}
	if health && k.locks() { // where a child or a process is seen, the product looks at no endpoint for the stop
		of = append(of, eyeHealth)
	}
	return of
}

// lookout is a sight of one sidecar process. Guarded by the world's lock.
type lookout struct {
	p       *process
	eye     eye
	present bool   // it has seen the workload
	ran     string // token of the term whose work it has seen run in a stop
}

var _ sight.Sight = (*lookout)(nil)

// Name implements [sight.Sight].
func (o *lookout) Name() string { return string(o.eye) }

// Kills implements [sight.Sight].
func (o *lookout) Kills() bool { return o.p.pod.app.kind.guarded() }

// State implements [sight.Sight].
func (o *lookout) State(bool) sight.State {
	o.p.w.mu.Lock()
	defer o.p.w.mu.Unlock()
	return o.state()
}

func (o *lookout) state() sight.State {
	now, a := o.p.w.now(), &o.p.pod.app
	a.update(now)
	there := a.working
	switch o.eye {
	case eyeChild:
		there = there && a.starter == o.p.number
	case eyeHealth:
		there = there && (a.frozen || now < a.mainEnd())
	case eyeProcess, eyeLock:
	}
	o.present = o.present || there
	switch {
	case now < o.p.c.blind && o.eye == eyeProcess && o.ran == a.token && a.token != "": // it loses sight of what it has seen in this stop
		return sight.Unknown
	case there && o.eye == eyeHealth:
		return sight.Unknown // that it answers says nothing about its work
	case there:
		if !o.p.pod.published.IsLeader {
			o.ran = a.token
		}
		return sight.Running
	case o.present, o.eye == eyeChild:
		return sight.Stopped
	}
	return sight.Unknown
}

// Watch implements [sight.Sight].
func (o *lookout) Watch(ctx context.Context, changed func()) {
	w := o.p.w
	last := sight.State(-1)
	for ctx.Err() == nil {
		w.mu.Lock()
		state, now := o.state(), w.now()
		a := &o.p.pod.app
		if a.changed == nil {
			a.notify()
		}
		news, next := a.changed, a.end()
		if o.eye == eyeHealth && now < a.mainEnd() {
			next = a.mainEnd()
		}
		switch {
		case !a.working:
			next = forever
		case a.frozen:
			next = a.killed()
		}
		if o.p.c.blind > now {
			next = min(next, o.p.c.blind)
		}
		dead := o.p.dead
		w.mu.Unlock()
		if dead {
			<-ctx.Done()
			return
		}
		if state != last {
			last = state
			if !o.p.restUnless(ctx, "sight "+string(o.eye), 2*time.Millisecond) {
				return
			}
			o.p.passAs(beforeStop, string(o.eye))
			changed()
			continue
		}
		wait := time.Hour
		if next != forever {
			wait = max(next-now, time.Nanosecond)
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-news:
		case <-t.C:
		}
		t.Stop()
	}
}
