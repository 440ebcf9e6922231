package histories_test

import (
	"slices"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
)

// fault has one thing go wrong, or right again, mostly with the leader. Every fault ends within twice the lease
// duration, but for a process that is gone: that is started at some later turn.
func (f *fleet) fault() {
	f.mend()
	n := f.nodes[f.rand.IntN(len(f.nodes))]
	if i := slices.IndexFunc(f.nodes, (*node).leads); i >= 0 && f.rand.IntN(2) == 0 {
		n = f.nodes[i]
	}
	if !n.runs() {
		n.start()
		return
	}
	until := time.Now().Add(f.upTo(2 * f.config.Duration))
	switch f.rand.IntN(11) {
	case 0, 1:
		n.stepDown()
	case 2, 3:
		n.terminate()
	case 4:
		n.killSidecar()
	case 5:
		n.kill()
	case 6:
		n.line.set(func(l *line) { l.frozen = until })
	case 7:
		n.line.set(func(l *line) { l.lostRequests = until })
	case 8:
		n.line.set(func(l *line) { l.lostReplies = until })
	case 9:
		n.line.set(func(l *line) { l.lag = until })
	case 10:
		f.meddle()
	}
	n.stall()
}

// meddle does what an administrator may do to the Lease of a running election.
func (f *fleet) meddle() {
	if f.rand.IntN(2) == 0 {
		f.backend.Delete("default", "acme-1")
		return
	}
	f.backend.Edit("default", "acme-1", func(o *coordinationv1.Lease) { o.Spec.HolderIdentity = new(string) })
}

// mend lets the watches flow again whose fault is over: all the others end by themselves.
func (f *fleet) mend() {
	for _, n := range f.nodes {
		n.stall()
	}
}

// stall stops the events of a node that hears nothing, and lets those of the others flow.
func (n *node) stall() {
	if s := n.sidecar.Load(); s != nil {
		s.store.StallWatches(n.line.deaf())
	}
}
