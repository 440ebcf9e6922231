//go:build linux

package fleet

import (
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// kind is one kind of fault.
type kind struct {
	name   string
	weight int
	once   bool // in a world
	// alone says why the fault is left out of worlds with client-go's elector; "": it is not.
	alone string
	// ours says why client-go's candidates do not get the fault; "": they do.
	ours string
	do   func(c *candidate, d time.Duration)
}

const (
	storeRestored = "store restored"

	takesAtOnce = "a known limit: client-go takes an absent, empty or shortened Lease at once, and one that shows itself as the holder"
	hourLong    = "client-go's own record shows no other duration: everybody would wait that hour"
	noDeadline  = "client-go judges its deadline when it wakes: a frozen one leads for as long as nobody looks, whatever others wait"
	noSidecar   = "client-go has no such thing"
)

var kinds = []kind{
	{name: "requests cut", weight: 5, do: func(c *candidate, d time.Duration) { c.trouble(&c.net.cutRequests, d) }},
	{name: "replies cut", weight: 5, do: (*candidate).cutReplies},
	{name: "blackhole", weight: 6, do: func(c *candidate, d time.Duration) {
		c.trouble(&c.net.cutRequests, d)
		c.cutReplies(d)
	}},
	{name: "slow network", weight: 4, do: func(c *candidate, d time.Duration) {
		c.w.mu.Lock()
		c.net.slowBy = c.w.chance.span(c.number, "slow by", c.w.now(), 9*time.Second)
		c.w.mu.Unlock()
		c.trouble(&c.net.slow, d)
	}},
	{name: "lossy network", weight: 4, do: func(c *candidate, d time.Duration) { c.trouble(&c.net.lossy, d) }},
	{name: "writes applied late", weight: 5, do: func(c *candidate, d time.Duration) { c.trouble(&c.net.late, d) }},
	{name: "writes slow", weight: 4, do: func(c *candidate, d time.Duration) {
		c.w.mu.Lock()
		c.net.slowWritesBy = 2*time.Second + c.w.chance.span(c.number, "write slow by", c.w.now(), 6*time.Second)
		c.w.mu.Unlock()
		c.trouble(&c.net.slowWrites, 2*d)
	}},
	{name: "writes slow for all", weight: 2, do: func(c *candidate, d time.Duration) {
		by := 2*time.Second + c.w.chance.span(c.number, "write slow by", c.w.now(), 3*time.Second)
		for _, every := range c.w.candidates {
			c.w.mu.Lock()
			every.net.slowWritesBy = by
			c.w.mu.Unlock()
			every.trouble(&every.net.slowWrites, d)
		}
	}},
	{name: "requests sent twice", weight: 3, do: func(c *candidate, d time.Duration) { c.trouble(&c.net.twice, d) }},
	{name: "429 and 503", weight: 3, do: func(c *candidate, d time.Duration) { c.trouble(&c.net.stormy, d) }},
	{name: "503, yet applied", weight: 3, do: func(c *candidate, d time.Duration) { c.trouble(&c.net.lying, d) }},

	{name: "watch stalled", weight: 3, ours: noSidecar, do: (*candidate).stall},
	{name: "watch lagging", weight: 3, ours: noSidecar, do: func(c *candidate, d time.Duration) { c.lagBehind(9*time.Second, d) }},
	{name: "watch half open", weight: 4, ours: noSidecar, do: func(c *candidate, _ time.Duration) { c.store.HalfOpen() }},
	{name: "watch broken", weight: 2, ours: noSidecar, do: func(c *candidate, _ time.Duration) { c.breakWatch(errRefused) }},
	{name: "watch closed", weight: 2, ours: noSidecar, do: func(c *candidate, _ time.Duration) { c.breakWatch(nil) }},
	{name: "watch expired", weight: 2, ours: noSidecar, do: func(c *candidate, _ time.Duration) {
		c.w.backend.Compact()
		c.breakWatch(lease.ErrExpired)
	}},

	{name: "API down shortly", weight: 2, do: func(c *candidate, d time.Duration) { c.w.apiDown(min(d, c.w.cfg.RenewDeadline/2)) }},
	{name: "API down for long", weight: 2, do: func(c *candidate, d time.Duration) { c.w.apiDown(c.w.cfg.RenewDeadline + d) }},

	{name: "killed, same pod", weight: 7, do: func(c *candidate, d time.Duration) { c.kill(samePod, d/8) }},
	{name: "killed, new pod", weight: 4, do: func(c *candidate, d time.Duration) { c.kill(newPod, d/4) }},
	{name: "killed, app lives on", weight: 3, ours: noSidecar, do: func(c *candidate, d time.Duration) { c.kill(orphanedApp, d/4) }},
	{name: "killed with a write on its way", weight: 4, ours: noSidecar, do: func(c *candidate, d time.Duration) {
		c.trouble(&c.net.late, c.w.cfg.RenewInterval+100*time.Millisecond)
		c.w.after(c.w.cfg.RenewInterval, func() { c.kill(samePod, d/20) })
	}},
	{name: "killed, hold spoilt", weight: 4, ours: noSidecar, do: (*candidate).spoilHold},
	{name: "hold cannot be written", weight: 4, ours: noSidecar, do: func(c *candidate, d time.Duration) { c.trouble(&c.holdFull, d) }},
	{name: "hold cannot be written in a drain, killed, cut off", weight: 4, ours: noSidecar, do: func(c *candidate, d time.Duration) {
		c.trouble(&c.holdFull, d)
		c.stepDown("to write no hold")
		c.w.after(d/100, func() {
			c.kill(samePod, d/20)
			c.trouble(&c.net.cutRequests, d)
			c.trouble(&c.net.cutReplies, d)
		})
	}},
	{name: "twin on a copied directory", weight: 3, ours: noSidecar, do: func(c *candidate, d time.Duration) { c.twins(2 * d) }},
	{name: "twin, and the first one cut off", weight: 3, ours: noSidecar, do: func(c *candidate, d time.Duration) {
		c.twins(4 * d)
		c.freeze(d)
	}},
	{name: "SIGTERM", weight: 16, do: func(c *candidate, d time.Duration) { c.terminate(newPod, d/4) }},
	{name: "SIGTERM, same pod", weight: 6, do: func(c *candidate, d time.Duration) { c.terminate(samePod, d/4) }},
	{name: "pod ends, sidecar last", weight: 6, ours: noSidecar, do: func(c *candidate, d time.Duration) {
		c.leave()
		c.crash()
		c.w.after(d/20, func() { c.terminate(newPod, d/4) })
	}},
	{name: "step down", weight: 26, ours: noSidecar, do: func(c *candidate, _ time.Duration) { c.stepDown("asked") }},
	{name: "killed in a drain", weight: 5, ours: noSidecar, do: func(c *candidate, d time.Duration) {
		c.stepDown("to be killed")
		c.w.after(d/200, func() { c.kill(samePod, d/8) })
	}},
	{name: "SIGTERM in a drain", weight: 3, ours: noSidecar, do: func(c *candidate, d time.Duration) {
		c.stepDown("before SIGTERM")
		c.w.after(d/100, func() { c.terminate(samePod, d/8) })
	}},

	{name: "sidecar frozen", weight: 4, ours: noDeadline, do: (*candidate).freeze},
	{name: "sidecar frozen at a boundary", weight: 10, ours: noDeadline, do: (*candidate).freezeAtBoundary},
	{name: "app frozen", weight: 3, ours: noSidecar, do: (*candidate).freezeApp},
	{name: "sidecar and app frozen", weight: 4, ours: noDeadline, do: func(c *candidate, d time.Duration) {
		c.freeze(d)
		c.freezeApp(d)
	}},
	{name: "frozen in a drain", weight: 4, ours: noSidecar, do: func(c *candidate, d time.Duration) {
		c.stepDown("to be frozen")
		c.w.after(d/100, func() { c.freeze(d) })
	}},
	{name: "handover abandoned", weight: 4, ours: noSidecar, do: func(c *candidate, d time.Duration) {
		c.stepDown("to be abandoned")
		c.hang(4 * d)
		c.w.after(d/100, c.abandon)
	}},
	{name: "unhealthy for a while", weight: 6, ours: noSidecar, do: (*candidate).sicken},
	{name: "unhealthy while cut off", weight: 4, ours: noSidecar, do: (*candidate).sickWhileCut},
	{name: "an order at a boundary", weight: 10, ours: noSidecar, do: (*candidate).orderAtBoundary},
	{name: "an order in a resume", weight: 6, ours: noSidecar, do: (*candidate).orderInResume},
	{name: "app crashes", weight: 4, ours: noSidecar, do: func(c *candidate, _ time.Duration) { c.crash() }},
	{name: "app hangs", weight: 3, ours: noSidecar, do: func(c *candidate, d time.Duration) { c.hang(4 * d) }},
	{name: "app hangs in a drain", weight: 2, ours: noSidecar, do: func(c *candidate, d time.Duration) {
		c.hang(8 * d)
		c.stepDown("to hang")
	}},
	{name: "sight goes blind in a drain", weight: 4, ours: noSidecar, do: func(c *candidate, d time.Duration) {
		c.hang(4 * d)
		c.stepDown("to be unseen")
		c.w.after(d/100, func() { c.trouble(&c.blind, 4*d) })
	}},
	{name: "document cannot be written", weight: 3, ours: noSidecar, do: func(c *candidate, d time.Duration) { c.trouble(&c.full, d) }},

	{name: "frozen, second process waits for the lock", weight: 3, ours: noSidecar, do: (*candidate).second},
	{name: "frozen, second process without the directory", weight: 3, ours: noSidecar, do: (*candidate).stranger},

	{name: "wall clock stepped", weight: 3, ours: "client-go reads the machine's clock, which has no other here", do: func(c *candidate, d time.Duration) {
		step := time.Hour
		if d%2 == 0 {
			step = -time.Hour
		}
		c.stepWall(step)
	}},
	{name: "wall clock frozen", weight: 2, ours: "client-go reads the machine's clock, which has no other here", do: (*candidate).stopWall},

	{name: "Lease deleted", weight: 2, alone: takesAtOnce, do: func(c *candidate, _ time.Duration) { c.w.delete() }},
	{name: "Lease replaced", weight: 2, alone: takesAtOnce, do: func(c *candidate, _ time.Duration) { c.w.replace() }},
	{name: "holder blanked", weight: 3, alone: takesAtOnce, do: func(c *candidate, _ time.Duration) {
		c.w.edit("blanks the holder", func(o *coordinationv1.Lease) { o.Spec.HolderIdentity = new("") })
	}},
	{name: "holder replaced by a hand", weight: 1, alone: takesAtOnce, do: func(c *candidate, _ time.Duration) {
		c.w.edit("writes a holder", unlessLengthened(func(o *coordinationv1.Lease) { o.Spec.HolderIdentity = new("somebody") }))
	}},
	{name: "duration shortened", weight: 2, alone: takesAtOnce, do: func(c *candidate, _ time.Duration) {
		c.w.edit("shortens the duration", func(o *coordinationv1.Lease) { o.Spec.LeaseDurationSeconds = new(int32(1)) })
	}},
	{name: "duration lengthened", weight: 2, alone: hourLong, do: func(c *candidate, _ time.Duration) {
		c.w.edit("lengthens the duration", lengthen)
	}},
	{name: "mark dropped", weight: 2, do: func(c *candidate, _ time.Duration) { c.w.edit("drops the mark", unlessLengthened(dropMark)) }},
	{name: "metadata touched often", weight: 2, do: func(c *candidate, d time.Duration) { c.w.touch(d) }},
	{name: "old held record put back", weight: 2, alone: takesAtOnce, do: func(c *candidate, _ time.Duration) { c.w.putBack() }},
	{name: "preferred holder set", weight: 3, do: func(c *candidate, _ time.Duration) {
		c.w.edit("asks for another holder", func(o *coordinationv1.Lease) { o.Spec.PreferredHolder = new(c.currentIdentity()) })
	}},
	{name: "members seen", weight: 24, ours: noSidecar, do: func(c *candidate, _ time.Duration) { c.w.advise() }},
	{name: "leader wished for", weight: 4, do: func(c *candidate, _ time.Duration) { c.wish() }},
	{name: "successor named by a hand", weight: 3, do: func(c *candidate, _ time.Duration) { c.forge() }},
	{name: "strategy set", weight: 1, do: func(c *candidate, _ time.Duration) {
		c.w.edit("sets a strategy", func(o *coordinationv1.Lease) {
			o.Spec.Strategy = new(coordinationv1.OldestEmulationVersion)
		})
	}},
	{name: storeRestored, weight: 1, once: true, alone: "client-go knows no numbering: it takes the old record up where it stood", do: func(c *candidate, d time.Duration) { c.w.restore(d) }},
}

// lengthen sets an hour if the mark still shows the true duration. Without the mark everybody would wait that hour, as the
// record says, and the world would only take longer.
func lengthen(o *coordinationv1.Lease) {
	r, err := lease.FromObject(o)
	if r.DurationSeconds = 3600; err == nil && r.Validity() < time.Hour {
		o.Spec.LeaseDurationSeconds = new(int32(3600))
	}
}

// unlessLengthened edits unless the record shows an hour (see lengthen).
func unlessLengthened(edit func(*coordinationv1.Lease)) func(*coordinationv1.Lease) {
	return func(o *coordinationv1.Lease) {
		if d := o.Spec.LeaseDurationSeconds; d == nil || *d < 3600 {
			edit(o)
		}
	}
}

func dropMark(o *coordinationv1.Lease) { delete(o.Annotations, naming.AnnotationFencedBy) }

// kindsFor returns the faults that a plan may have.
func kindsFor(s Plan) (of []weighted[kind]) {
	for _, k := range kinds {
		if k.alone == "" || !s.mixed() {
			of = append(of, weighted[kind]{k, k.weight})
		}
	}
	return of
}

func kindNamed(name string) kind {
	for _, k := range kinds {
		if k.name == name {
			return k
		}
	}
	panic(fmt.Sprintf("no fault is called %q", name))
}
