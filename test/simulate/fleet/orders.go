//go:build linux

package fleet

import "time"

// order is something that people, probes or the workload ask of a sidecar. It is carried out at once, at whichever boundary the process
// stands.
type order string

const (
	orderStepDown  order = "step down"
	orderTerminate order = "SIGTERM"
	orderSick      order = "unhealthy"
	orderCrash     order = "the workload crashes"
	orderKill      order = "SIGKILL"
)

var orders = []order{orderStepDown, orderStepDown, orderTerminate, orderSick, orderCrash, orderKill}

// drawOrder draws an order, drawBoundary where a process is to be frozen.
func (c *candidate) drawOrder() order { return oneOf(c.w.chance, c.number, "order", c.w.now(), orders) }

func (c *candidate) drawBoundary() boundary {
	return oneOf(c.w.chance, c.number, "boundary", c.w.now(), boundaries)
}

// give carries out an order. d is how long it lasts, or how long it takes until the next process starts.
func (c *candidate) give(o order, d time.Duration) {
	p := c.running()
	if p == nil {
		return
	}
	c.w.note("ORDER " + string(o) + " at " + c.name)
	switch o {
	case orderStepDown:
		c.w.spawn(func() { p.orderStepDown("asked at a boundary") })
	case orderTerminate:
		c.terminate(samePod, d/4)
	case orderSick:
		c.sicken(d)
	case orderCrash:
		c.crash()
	case orderKill:
		c.kill(samePod, d/8)
	}
}

// orderAtBoundary gives an order while the process is frozen at a boundary.
func (c *candidate) orderAtBoundary(d time.Duration) {
	p := c.running()
	if p == nil {
		return
	}
	o := c.drawOrder()
	p.trapAt(c.drawBoundary(), c.w.chance.span(c.number, "stands", c.w.now(), 40*time.Millisecond), func() { c.give(o, d) })
}

// orderInResume kills the sidecar, and gives its successor an order about when that starts or gets its first reply.
func (c *candidate) orderInResume(d time.Duration) {
	p := c.running()
	if p == nil {
		return
	}
	o := c.drawOrder()
	pause := c.w.chance.span(c.number, "resume pause", c.w.now(), 300*time.Millisecond)
	p.kill()
	c.succeed(p.pod, samePod, pause)
	c.w.after(pause+c.w.chance.span(c.number, "resume order", c.w.now(), 15*time.Millisecond), func() { c.give(o, d) })
}

// sicken makes the workload unhealthy for d.
func (c *candidate) sicken(d time.Duration) {
	c.trouble(&c.sick, d)
	c.checkHealth()
	c.w.after(d, c.checkHealth)
}

// checkHealth runs the health check of the running process.
func (c *candidate) checkHealth() {
	p := c.running()
	if p == nil {
		return
	}
	c.w.spawn(func() {
		p.passAs(beforeOrder, "health")
		c.reportHealth(p)
	})
}

// reportHealth reports the workload's health to a process.
func (c *candidate) reportHealth(p *process) {
	c.w.mu.Lock()
	sick := c.w.now() < c.sick
	c.w.say(p.name, "life", "health: sick %v", sick)
	c.w.mu.Unlock()
	p.elector.SetHealthy(!sick, "its health check says so")
}

// crash ends the workload, which the sidecar notices a moment later where it can see it.
func (c *candidate) crash() {
	c.w.mu.Lock()
	p, now := c.pod, c.w.now()
	if p == nil || !p.app.kind.crashes() || !p.app.lives(now) {
		c.w.mu.Unlock()
		return
	}
	p.app.die(now)
	c.w.mu.Unlock()
	if q := c.running(); q != nil && q.pod == p {
		c.w.after(c.w.chance.span(c.number, "crash", c.w.now(), 5*time.Millisecond), func() {
			c.w.spawn(func() { q.stepDown("the workload has ended") })
		})
	}
}

// crashes reports whether a sidecar sees such a workload end.
func (k workload) crashes() bool { return k.simulated() && k != unseenWork }

// hang makes the workload ignore its signals for d.
func (c *candidate) hang(d time.Duration) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	if p := c.pod; p != nil && p.c.slot.drain == 0 && p.app.kind != unseenWork {
		p.app.hangs = max(p.app.hangs, c.w.now()+d)
		c.w.afterLocked(d, func() {
			if now := c.w.now(); now >= p.app.hangs {
				p.app.unhang(now)
			}
		})
	}
}

// sickWhileCut cuts the replies of a leader, makes its workload unhealthy, and heals the network just after its term is over:
// a renewal that is answered late proves a term that must not begin again.
func (c *candidate) sickWhileCut(time.Duration) {
	cut := c.w.cfg.RenewDeadline + c.w.chance.span(c.number, "cut", c.w.now(), c.w.cfg.RenewDeadline)
	c.cutReplies(cut)
	c.w.after(cut/2, func() { c.sicken(cut) })
}
