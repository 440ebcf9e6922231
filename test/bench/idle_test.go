//go:build linux

package bench

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

const (
	leaseDuration = 15 * time.Second
	// quiet is the pause before the candidates count as idle: what a start and an election need is over.
	quiet = 20 * time.Second
	slack = 30 * time.Second
)

// subject is one process that is watched.
type subject struct {
	name string // of the build and the way it runs
	role string
	pid  int
	from usage
}

// contest is one election between a leader and a standby.
type contest struct {
	name     string
	election *harness.Election
	sidecars []*harness.Sidecar // none of client-go's
}

// TestIdle watches a leader and a standby of each kind at the same time, and prints what each process cost.
func TestIdle(t *testing.T) {
	cluster := harness.Start(t) // its own: all its requests are counted
	var contests []contest
	var subjects []subject
	for _, b := range builds(t) {
		t.Logf("%s: %d bytes, %s", b.name, size(t, b.path), b.path)
		for _, child := range []bool{false, true} {
			c, s := sidecars(t, cluster, b, child)
			contests, subjects = append(contests, c), append(subjects, s...)
		}
	}
	t.Logf("client-go: %d bytes", size(t, harness.PeerBinary(t, "v0.37")))
	c, s := peers(t, cluster)
	contests, subjects = append(contests, c), append(subjects, s...)

	stop := probing(contests)
	defer stop()
	time.Sleep(quiet)
	start := time.Now()
	for i := range subjects {
		subjects[i].from = usageOf(t, subjects[i].pid)
	}
	time.Sleep(*span)
	var table strings.Builder
	out := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "what\tprocess\t% of a core\tutime+stime\tswitches/s\tvoluntary\tinvoluntary\tRSS MiB\t")
	took := time.Since(start).Seconds()
	for _, s := range subjects {
		u := usageOf(t, s.pid).since(s.from)
		fmt.Fprintf(out, "%s\t%s\t%.4f\t%.3f\t%.1f\t%.1f\t%.1f\t%.1f\t\n", s.name, s.role, 100*u.cpu.Seconds()/took,
			100*u.ticks.Seconds()/took, float64(u.voluntary+u.involuntary)/took, float64(u.voluntary)/took, float64(u.involuntary)/took,
			float64(u.rss)/1024)
	}
	end := time.Now()
	fmt.Fprintln(out, "\t\t\t\t\t\t\t\t\nwhat\trequests/s\t\t\t\t\t\t\t")
	for _, c := range contests {
		fmt.Fprintf(out, "%s\t%.3f\t\t\t\t\t\t\t\n", c.name, c.election.RequestRate(t, start, end))
	}
	out.Flush()
	t.Logf("idle for %s, probes %v:\n%s", *span, *probed, table.String())
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// sidecars starts a leader and a standby, with a command to run while leading where child is true: then each has a guard
// process, which is a subject of its own.
func sidecars(t *testing.T, cluster *harness.Cluster, b build, child bool) (contest, []subject) {
	t.Helper()
	c := contest{name: b.name, election: harness.NewElection(t, cluster, leaseDuration)}
	if child {
		c.name += ", a command"
	}
	c.election.Ship(t)
	for i := range 2 {
		c.sidecars = append(c.sidecars, replica(t, c.election, fmt.Sprintf("web-%d", i), b.path, child))
	}
	leader := harness.AwaitLeader(t, leaseDuration+slack, c.sidecars...)
	var subjects []subject
	for _, s := range append([]*harness.Sidecar{leader}, harness.Others(c.sidecars, leader)...) {
		role := "standby"
		if s == leader {
			role = "leader"
		}
		subjects = append(subjects, subject{name: c.name, role: role, pid: s.PID()})
		for _, pid := range harness.Children(s.PID()) {
			subjects = append(subjects, subject{name: c.name, role: role + "'s guard", pid: pid})
		}
	}
	return c, subjects
}

// replica starts one replica with the default log.
func replica(t *testing.T, e *harness.Election, pod, path string, child bool) *harness.Sidecar {
	t.Helper()
	s := e.Prepare(t, pod)
	s.Binary = path
	s.Args = append(s.Args, "--log-level", "info") // the last one counts: the default, not the tests' own
	if child {
		s.Args = append(s.Args, "--", "sleep", "1000000")
	}
	s.Start(t, e)
	return s
}

// peers starts a leader and a standby of client-go's elector with its default timings.
func peers(t *testing.T, cluster *harness.Cluster) (contest, []subject) {
	t.Helper()
	c := contest{name: "client-go", election: harness.NewElection(t, cluster, leaseDuration)}
	c.election.Ship(t)
	options := harness.PeerOptions{
		LeaseDuration: leaseDuration, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second, ReleaseOnCancel: true,
	}
	first := c.election.StartPeer(t, "peer-0", options)
	harness.Eventually(t, leaseDuration+slack, "client-go's leads", func() bool { leads, _ := first.Leads(); return leads })
	second := c.election.StartPeer(t, "peer-1", options)
	return c, []subject{{name: c.name, role: "leader", pid: first.PID()}, {name: c.name, role: "standby", pid: second.PID()}}
}

// probing asks the sidecars as the kubelet and Prometheus do, if that is wanted, until stop is called.
func probing(contests []contest) (stop func()) {
	ended, joined := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(joined)
		ticker := time.NewTicker(10 * time.Second)
		defer ticker.Stop()
		for round := 0; *probed; round++ {
			for _, c := range contests {
				for _, s := range c.sidecars {
					s.ProbeStatus("/livez")
					s.ProbeStatus("/readyz")
					if round%3 == 0 {
						s.ProbeStatus("/metrics")
					}
				}
			}
			select {
			case <-ticker.C:
			case <-ended:
				return
			}
		}
	}()
	return func() {
		close(ended)
		<-joined
	}
}
