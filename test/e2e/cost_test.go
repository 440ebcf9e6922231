//go:build linux

package e2e

import (
	"flag"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/e2e/lab"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

var costSpan = flag.Duration("cost", time.Minute, "for how long the idle cost is measured")

// TestCost measures what an election costs that nobody disturbs: the memory of each sidecar and its processor time, as its control
// group counts them, probes included, and the requests in the API server's audit log.
func TestCost(t *testing.T) {
	t.Parallel()
	w := lab.Deploy(t, lab.Shared(t), lab.App{})
	w.AwaitReady(slack, 3)
	leader := w.AwaitWork(takeover)
	began := time.Now()
	before := map[string]time.Duration{}
	for _, p := range w.Pods() {
		before[p.Name] = w.Container(p.Name, lab.SidecarContainer).CPUTime()
	}
	harness.Throughout(t, *costSpan, "the same pod works", func() bool { return w.Working() == leader })
	span := time.Since(began)
	for _, p := range w.Pods() {
		c := w.Container(p.Name, lab.SidecarContainer)
		set, _ := c.Memory()
		role := "standby"
		if p.Name == leader {
			role = "leader"
		}
		t.Logf("figure: a %s over %.0f s: working set %.1f MiB, %.3f %% of a core", role, span.Seconds(),
			float64(set)/(1<<20), 100*(c.CPUTime()-before[p.Name]).Seconds()/span.Seconds())
		if set > 12<<20 {
			t.Errorf("the working set has %d bytes: 16 Mi is a limit that the documents call enough", set)
		}
	}
	user := "system:serviceaccount:" + w.Namespace + ":web"
	asked := w.Audit.Requests(t, began, func(r harness.Request) bool { return r.User == user && !r.Watching })
	t.Logf("figure: %.2f requests a second of all three sidecars", float64(len(asked))/span.Seconds())
	for _, r := range asked {
		if r.Verb != "update" && r.Verb != "watch" {
			t.Errorf("an idle election asks for %s", r.Verb)
		}
	}
	w.Verdict()
}
