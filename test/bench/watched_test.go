//go:build linux

package bench

import (
	"fmt"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// watched is one process that is measured.
type watched struct {
	subject result.Subject
	kind    string           // the end of its figures' names: how it runs, and its role
	pid     func() int       // of the process, or the one that has taken its place
	group   *harness.Cgroup  // nil of a guard, which is in its sidecar's
	sidecar *harness.Sidecar // nil of all others
	again   func()           // starts it again, as the kubelet does; nil: it does not end

	from, before, last usage // when the measurement began; of the processes that have ended; of this one
	rss, private, sets []float64
	ended              int
}

// begin begins a measurement.
func (w *watched) begin(t *testing.T) {
	t.Helper()
	*w = watched{subject: w.subject, kind: w.kind, pid: w.pid, group: w.group, sidecar: w.sidecar, again: w.again}
	w.from, _ = usageOf(w.pid())
	w.last = w.from
}

// look notes what the process has used so far, and starts it again where it has ended.
func (w *watched) look(t *testing.T) {
	t.Helper()
	now, alive := usageOf(w.pid())
	switch {
	case !alive && w.again == nil:
		t.Fatalf("%s, %s: process %d has ended", w.subject, w.kind, w.pid())
	case !alive:
		w.before, w.last = w.before.plus(w.last), usage{}
		w.ended++
		w.again()
		return
	}
	w.last = now
	w.rss, w.private = append(w.rss, now.rss), append(w.private, now.private)
	if w.group != nil {
		w.sets = append(w.sets, float64(w.group.MemoryUse().WorkingSet)/(1<<20))
	}
}

// client-go's elector, at its defaults and tuned.
var (
	peerDefaults = harness.PeerOptions{LeaseDuration: leaseDuration, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second, ReleaseOnCancel: true}
	peerTuned    = harness.PeerOptions{LeaseDuration: 5 * time.Second, RenewDeadline: 3 * time.Second, RetryPeriod: time.Second, ReleaseOnCancel: true}
)

// sidecars starts a leader and a standby with more arguments, each in a control group of its own. One with a command has a guard,
// which is a process to watch, too.
func sidecars(t *testing.T, cluster *harness.Cluster, b build, kind string, more ...string) (all []*watched) {
	t.Helper()
	e := harness.NewElection(t, cluster, leaseDuration, harness.MemberRules(false)...)
	e.ShipFree(t)
	for i, role := range []string{"", "-standby"} {
		group := harness.NewCgroup(t)
		s := prepare(t, e, fmt.Sprintf("web-%d", i), group.Launcher(b.path), more...)
		s.Start(t, e)
		if role == "" {
			harness.AwaitLeader(t, leaseDuration+slack, s)
		} else {
			harness.Eventually(t, slack, "the standby knows the leader", func() bool { return s.State().Leader == "web-0" })
		}
		all = append(all, &watched{subject: b.subject, kind: kind + role, pid: s.PID, group: group, sidecar: s})
		if kind == "-child" {
			harness.Eventually(t, slack, "it has a guard", func() bool { return len(harness.Children(s.PID())) > 0 })
			guard := harness.Children(s.PID())[0]
			all = append(all, &watched{subject: b.subject, kind: role + "-guard", pid: func() int { return guard }})
		}
	}
	return all
}

// prepare makes a replica with the default log.
func prepare(t *testing.T, e *harness.Election, pod, path string, more ...string) *harness.Sidecar {
	t.Helper()
	s := e.Prepare(t, pod)
	s.Binary = path
	s.Args = append(append(s.Args, "--log-level", "info"), more...) // the last one counts: the default, not the tests' own
	return s
}

// replica starts one replica with the default log, and with a command to run while it leads where child is true.
func replica(t *testing.T, e *harness.Election, pod, path string, child bool) *harness.Sidecar {
	t.Helper()
	s := prepare(t, e, pod, path)
	if child {
		s.Args = append(s.Args, "--", "sleep", "1000000")
	}
	s.Start(t, e)
	return s
}

// peers starts a leader and a standby of client-go's elector, each in a control group of its own. The leader ends where it loses the
// lead, as programs do that use client-go's elector, and is started again.
func peers(t *testing.T, cluster *harness.Cluster, who result.Subject, o harness.PeerOptions) (all []*watched) {
	t.Helper()
	e := harness.NewElection(t, cluster, leaseDuration)
	e.ShipFree(t)
	for i, role := range []string{"", "-standby"} {
		group := harness.NewCgroup(t)
		o.Launcher = group.Launcher
		p := e.StartPeer(t, fmt.Sprintf("peer-%d", i), o)
		if role == "" {
			harness.Eventually(t, leaseDuration+slack, "client-go's leads", func() bool { leads, _ := p.Leads(); return leads })
		}
		all = append(all, &watched{subject: who, kind: role, pid: func() int { return p.PID() }, group: group, again: func() { p.Start(t) }})
	}
	return all
}
