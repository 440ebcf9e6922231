package elector

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// fault is one thing that goes wrong in a simulated world.
type fault struct {
	name string
	do   func(w *world, n *simNode, d time.Duration)
}

var faults = []fault{
	{"requests cut", func(w *world, n *simNode, d time.Duration) { n.cutRequests = w.now + d }},
	{"replies cut", func(w *world, n *simNode, d time.Duration) { n.cutReplies = w.now + d }},
	{"partition", func(w *world, n *simNode, d time.Duration) { n.cutRequests, n.cutReplies = w.now+d, w.now+d }},
	{"late requests", func(w *world, n *simNode, d time.Duration) { n.lateUntil = w.now + d }},
	{"stalled watch", func(w *world, n *simNode, d time.Duration) { n.stalledUntil = w.now + d }},
	{"freeze", func(w *world, n *simNode, d time.Duration) { n.frozenUntil = w.now + d }},
	{"kill", func(w *world, n *simNode, d time.Duration) { n.kill(false, d/8) }},
	{"replace the pod", func(w *world, n *simNode, d time.Duration) { n.kill(true, d/8) }},
	{"step down", func(w *world, n *simNode, d time.Duration) { n.take(stepDown{cause: "asked"}) }},
	{"terminate", func(w *world, n *simNode, d time.Duration) { n.take(terminate{}) }},
	{"unfit for a while", func(w *world, n *simNode, d time.Duration) {
		n.take(health{why: "simulated"})
		w.after(d, func() { n.take(health{healthy: true, why: "simulated"}) })
	}},
	{"abandon", func(w *world, n *simNode, d time.Duration) { n.take(abandon{}) }},
	{"wall clock stepped", func(w *world, n *simNode, d time.Duration) { n.wall += d - 15*time.Second }},
	{"no room for the hold", func(w *world, n *simNode, d time.Duration) { n.fullUntil = w.now + d }},
	{"delete", func(w *world, n *simNode, d time.Duration) { w.store.delete() }},
	{"blank the holder", func(w *world, n *simNode, d time.Duration) {
		if r := w.store.record; r != nil {
			e := *r
			e.Holder = ""
			w.store.put(e)
		}
	}},
	{"shorten the duration", func(w *world, n *simNode, d time.Duration) {
		if r := w.store.record; r != nil {
			e := *r
			e.DurationSeconds = 1
			w.store.put(e)
		}
	}},
	{"drop the mark", func(w *world, n *simNode, d time.Duration) {
		if r := w.store.record; r != nil {
			e := *r
			e.Mark = ""
			w.store.put(e)
		}
	}},
	{"touch the metadata", func(w *world, n *simNode, d time.Duration) {
		if r := w.store.record; r != nil {
			w.store.put(*r)
		}
	}},
	{"prefer another", func(w *world, n *simNode, d time.Duration) {
		if r := w.store.record; r != nil {
			e := *r
			e.PreferredHolder = fmt.Sprintf("%s_%d", n.name, n.pod)
			w.store.put(e)
		}
	}},
}

func simConfig() Config {
	return Config{Lease: "acme-1", Namespace: "default", Workload: "deployment/web", Duration: 3 * time.Second, ForeignGrace: time.Second, Priority: MaxPriority}.WithDefaults()
}

// TestInvariantsUnderRandomFaults runs candidates through random faults, and asserts the invariants of the protocol
// throughout, that nobody is told to lead, or works, beside another, and that somebody leads in the end.
func TestInvariantsUnderRandomFaults(t *testing.T) {
	var terms, takeovers int
	rapid.Check(t, func(t *rapid.T) {
		cfg := simConfig()
		w := newWorld(rapid.Uint64().Draw(t, "seed"), rapid.IntRange(2, 5).Draw(t, "candidates"), cfg)
		end := 180 * time.Second
		for i := range rapid.IntRange(0, 40).Draw(t, "faults") {
			label := fmt.Sprintf("fault %d ", i)
			f := rapid.SampledFrom(faults).Draw(t, label)
			at := time.Duration(4*i)*time.Second + time.Duration(rapid.IntRange(0, 6_000).Draw(t, label+"at"))*time.Millisecond
			node := rapid.IntRange(-1, len(w.nodes)-1).Draw(t, label+"node") // -1: whoever leads then
			length := time.Duration(rapid.IntRange(1, 12_000).Draw(t, label+"length")) * time.Millisecond
			w.after(at, func() {
				n := w.nodes[max(node, 0)]
				if l := w.leaders(); node < 0 && len(l) > 0 {
					n = l[0]
				}
				w.trace("FAULT %s at %s for %v", f.name, n.name, length)
				f.do(w, n, length)
			})
		}
		w.run(end + 20*time.Second)
		if len(w.leaders()) != 1 {
			w.violated("%d lead at the end", len(w.leaders()))
		}
		for _, n := range w.nodes {
			if n.steps > 200*30 {
				w.violated("%s turned %d times in 200 s", n.name, n.steps)
			}
		}
		terms, takeovers = terms+w.terms, takeovers+w.takeovers
		if len(w.faults) > 0 {
			t.Fatalf("%s\n--\n%s", strings.Join(w.faults, "\n"), strings.Join(w.log, "\n"))
		}
	})
	t.Logf("%d terms, %d attempts to take", terms, takeovers)
	if terms < 100 {
		t.Errorf("only %d terms: the simulation does not exercise the election", terms)
	}
}

func (f fault) String() string { return f.name }
