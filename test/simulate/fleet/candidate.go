//go:build linux

package fleet

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
)

// candidate is a machine with its clocks and its network, and the pods that run there, one
// after the other.
type candidate struct {
	w      *world
	number int
	name   string
	slot   Slot
	clock  machineClock
	net    network
	store  *memory.Store
	pod    *Pod  // the present one
	peer   *peer // client-go's elector, in place of pods; or nil

	// True times until which a fault lasts, guarded by the world's lock.
	sick     time.Duration // the workload is unhealthy
	blind    time.Duration // only the run lock shows the workload
	full     time.Duration // the document cannot be written
	holdFull time.Duration // the hold cannot be written
}

// succession says what starts after a process.
type succession string

const (
	samePod     succession = "same pod"
	newPod      succession = "new pod"
	orphanedApp succession = "new pod, the old app lives on"
)

// trouble makes a fault last for d from now, or longer if it already does.
func (c *candidate) trouble(until *time.Duration, d time.Duration) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	*until = max(*until, c.w.now()+d)
}

// troubleThen is trouble, and calls heal once it is over.
func (c *candidate) troubleThen(until *time.Duration, d time.Duration, heal func()) {
	c.trouble(until, d)
	c.w.after(d, func() {
		c.w.mu.Lock()
		over := c.w.now() >= *until
		c.w.mu.Unlock()
		if over {
			heal()
		}
	})
}

// heal ends every fault of the candidate.
func (c *candidate) heal() {
	c.w.mu.Lock()
	now, n := c.w.now(), &c.net
	for _, until := range []*time.Duration{
		&n.cutRequests, &n.cutReplies, &n.slow, &n.lossy, &n.late, &n.slowWrites, &n.twice, &n.stormy, &n.lying, &n.stalled, &n.lagging,
		&c.sick, &c.blind, &c.full, &c.holdFull,
	} {
		*until = min(*until, now)
	}
	c.clock.wallStop = 0
	c.w.mu.Unlock()
	c.store.StallWatches(false)
	c.store.LagWatches(c.lag(2 * hop))
}

// running returns the sidecar that runs here, or nil.
func (c *candidate) running() *process {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if c.pod == nil || c.pod.process == nil || c.pod.process.dead || c.pod.process.ended {
		return nil
	}
	return c.pod.process
}

func (c *candidate) currentIdentity() string {
	if p := c.running(); p != nil {
		return p.identity
	}
	return c.name
}

// kill ends the process as SIGKILL does, and starts its successor after a pause.
func (c *candidate) kill(next succession, pause time.Duration) {
	if c.peer != nil {
		c.peer.kill(pause)
		return
	}
	p := c.running()
	if p == nil {
		return
	}
	p.kill()
	c.succeed(p.pod, next, pause)
}

// terminate sends SIGTERM, and starts the successor a pause after the process has ended.
func (c *candidate) terminate(next succession, pause time.Duration) {
	if c.peer != nil {
		c.peer.terminate(pause)
		return
	}
	p := c.running()
	if p == nil || p.leaves() {
		return
	}
	c.w.spawn(func() {
		p.terminate()
		<-p.over
		c.w.mu.Lock()
		ours := !p.dead && c.pod == p.pod && p.pod.process == p // it was not killed or replaced meanwhile
		c.w.mu.Unlock()
		if ours {
			c.succeed(p.pod, next, pause)
		}
	})
}

// succeed starts a process after one of the pod has ended.
func (c *candidate) succeed(old *Pod, next succession, pause time.Duration) {
	if next == samePod {
		c.w.after(pause, old.start)
		return
	}
	c.w.mu.Lock()
	if next == newPod { // its containers and its volume are gone
		old.end()
	}
	c.w.mu.Unlock()
	fresh := c.newPod(false)
	c.w.after(pause, fresh.start)
}

func (c *candidate) stepDown(cause string) {
	if p := c.running(); p != nil {
		c.w.spawn(func() { p.stepDown(cause) })
	}
}

// abandon ends the waiting of a handover, as the product does at a second SIGTERM.
func (c *candidate) abandon() {
	if p := c.running(); p != nil {
		c.w.spawn(func() {
			p.passAs(beforeOrder, "abandon")
			p.elector.Abandon()
		})
	}
}

// leave tells the sidecar that its pod is about to end, as a preStop hook does.
func (c *candidate) leave() {
	if p := c.running(); p != nil {
		c.w.spawn(p.leave)
	}
}

func (c *candidate) freeze(d time.Duration) {
	if p := c.running(); p != nil {
		p.freeze(d)
	}
}

func (c *candidate) freezeAtBoundary(d time.Duration) {
	if p := c.running(); p != nil {
		p.trapAt(c.drawBoundary(), d, nil)
	}
}

// freezeApp freezes the app of the present pod, if there is one.
func (c *candidate) freezeApp(d time.Duration) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if c.pod == nil || !c.slot.work.simulated() || c.slot.drain > 0 { // an app that is frozen beyond its drain timeout would break the operator's promise
		return
	}
	a := &c.pod.app
	a.freeze(c.w.now())
	c.w.afterLocked(d, func() { a.thaw(c.w.now()) })
}

// second freezes the sidecar and starts another on the same directory, which waits for the lock. Then the first one is
// killed, or gets SIGTERM.
func (c *candidate) second(d time.Duration) {
	p := c.running()
	if p == nil {
		return
	}
	p.freeze(d)
	c.w.after(d/4, p.pod.start)
	c.w.after(d+c.w.chance.span(c.number, "second", c.w.now(), time.Second), func() {
		if d%2 == 0 {
			p.kill()
		} else {
			c.w.spawn(p.terminate)
		}
	})
}

// stranger freezes the sidecar and runs another without a signal directory beside it.
func (c *candidate) stranger(d time.Duration) {
	p := c.running()
	if p == nil {
		return
	}
	p.freeze(d)
	other := c.newPod(true)
	c.w.after(d/4, other.start)
	c.w.after(2*d, other.retire)
}

// twins runs a second sidecar with the pod's identity on a copy of its directory for d, as after "cp -a", with two hosts
// of one --identity, or on a restored node.
func (c *candidate) twins(d time.Duration) {
	p := c.running()
	if p == nil || p.hold == nil || p.pod.dir == "" || p.identity != p.pod.identity {
		return
	}
	b, err := os.ReadFile(p.pod.holdPath())
	if err != nil {
		return
	}
	c.w.mu.Lock()
	other := c.newPodLocked(true)
	other.identity, other.twin, other.spoilt = p.pod.identity, true, true
	other.dir = filepath.Join(c.w.dir, other.name)
	p.pod.twin = true
	c.w.mu.Unlock()
	if err := errors.Join(os.Mkdir(other.dir, 0o700), os.WriteFile(other.holdPath(), b, 0o600)); err != nil {
		panic(err)
	}
	hold, err := elector.OpenHold(other.dir)
	if err != nil {
		panic(err)
	}
	c.w.launch(other, hold, false)
	c.w.after(min(d, c.w.plan.End-c.w.now()-time.Millisecond), other.retire)
}

func (c *candidate) stepWall(by time.Duration) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.clock.wallStep += by
}

func (c *candidate) stopWall(d time.Duration) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.clock.wallStop = c.clock.boot(c.w.now())
	c.w.afterLocked(d, func() { c.clock.wallStop = 0 })
}
