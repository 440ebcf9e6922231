//go:build linux

package workload

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// The ways in which a workload is tied to its sidecar, where it works from its start on and SIGTERM stops it.
const (
	byChild   = "child"   // it is the sidecar's command
	byProcess = "process" // the sidecar sends it SIGTERM, and kills it where it does not end
)

var bothWays = []string{byChild, byProcess}

// pair is two pods of a test, a and b, whose workloads take long to stop.
type pair struct {
	*stage
	a, b *pod
	work spell             // of a
	from bootclock.Instant // when a's handover began
}

// newPair has a work, and b stand by.
func newPair(t *testing.T, way string, how harness.Conduct, leaseDuration string, flags ...string) *pair {
	t.Helper()
	t.Parallel()
	p := &pair{stage: newStage(t)}
	c := setup{program: []string{"-child", "-health", appAddress}, conduct: how, flags: append([]string{"--lease-duration", leaseDuration}, flags...)}
	if way == byChild {
		c.child = true
	} else {
		c.program = append(c.program, "-pid-file", pidFile)
		c.flags = append(c.flags, "--pid-file", harness.Here+pidFile, "--on-lost", "TERM")
	}
	start := func(name string) *pod {
		pod := p.prepare(name, c)
		pod.Start()
		if way == byProcess {
			pod.supervise()
		}
		return pod
	}
	p.a = start("a")
	p.work = p.a.works()
	if way == byProcess {
		p.a.AwaitLog("found the process")
	}
	p.b = start("b")
	p.b.AwaitLog("standing by")
	return p
}

// stubborn has a work, at a lease duration of 6 s, which nothing but a fence ends.
func stubborn(t *testing.T, way string) *pair {
	t.Helper()
	return newPair(t, way, harness.Conduct{"Stop": time.Hour}, "6s", fence[way]...)
}

// fence is what a sidecar needs to kill its workload in the end; in child mode it does so by itself.
var fence = map[string][]string{byProcess: {"--fence", "kill"}}

// margin is the kill margin at a lease duration of 6 s.
const margin = 1200 * time.Millisecond

// stepDown begins a's handover.
func (p *pair) stepDown() {
	p.t.Helper()
	p.from = now()
	p.a.StepDown()
}

// follow returns the last end of the hold that a's document shows, until its workload has ended.
func (p *pair) follow() (held bootclock.Instant) {
	p.t.Helper()
	harness.Eventually(p.t, patience, "its workload ends", func() bool {
		held = max(held, p.a.Leadership().ValidUntil)
		return !p.work.process.Lives()
	})
	return held
}

// TestAppGetsTheTimeThatItNeeds: more than several lease durations.
func TestAppGetsTheTimeThatItNeeds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ way, duration string }{{byChild, "6s"}, {byProcess, "6s"}, {byChild, "15s"}} {
		t.Run(c.way+", "+c.duration, func(t *testing.T) {
			p := newPair(t, c.way, harness.Conduct{"Stop": 25 * time.Second}, c.duration, fence[c.way]...)
			p.stepDown()
			next := p.b.works()
			last, stopped := p.a.last()
			if worked := last.Sub(p.from); !stopped || worked < 24500*time.Millisecond {
				t.Errorf("it worked on for %s and ended by itself: %v; want 25s, and so", worked, stopped)
			}
			if gap := next.from.Sub(last); gap > 3*time.Second {
				t.Errorf("the next one worked %s later", gap)
			}
			p.wantNoOverlap()
		})
	}
}

// TestEndIsSeen: a sidecar that is terminated releases the Lease once the process has been seen to end, and not before; with classic
// placement, too, where nothing but a sight shows it.
func TestEndIsSeen(t *testing.T) {
	t.Parallel()
	for _, placement := range []string{"native", "classic"} {
		t.Run(placement, func(t *testing.T) {
			p := newPair(t, byProcess, harness.Conduct{"Stop": 500 * time.Millisecond}, "3s", "--placement", placement)
			p.a.term()
			p.b.works()
			p.wantNoOverlap()
			<-p.a.Exited()
			if p.a.LogLine(`detail="it was seen to stop (process)`) == "" {
				t.Error("the handover did not wait for sight of the end")
			}
		})
	}
}

// TestStopTimeoutKills: a workload that ignores SIGTERM has the stop timeout, and the Lease is released then.
func TestStopTimeoutKills(t *testing.T) {
	t.Parallel()
	for _, way := range bothWays {
		t.Run(way, func(t *testing.T) {
			p := newPair(t, way, harness.Conduct{"Stop": time.Hour}, "3s", append([]string{"--stop-timeout", "6s"}, fence[way]...)...)
			p.stepDown()
			next := p.b.works()
			last, _ := p.a.last()
			if worked := last.Sub(p.from); worked < 5500*time.Millisecond || worked > 8500*time.Millisecond {
				t.Errorf("it worked on for %s, want 6s", worked)
			}
			if gap := next.from.Sub(last); gap > 900*time.Millisecond && p.a.LogLine("reason=Released") == "" {
				t.Errorf("the next one worked %s later, want at once: a Lease that runs out does so 1 s later", gap)
			}
			p.wantNoOverlap()
		})
	}
}

// wantKilled fails the test where a's workload was not killed between the end of the last hold and half a margin later, or the
// hold did not last until that long after the handover's begin.
func (p *pair) wantKilled(held bootclock.Instant, least time.Duration) {
	p.t.Helper()
	last, _ := p.a.last()
	if !p.from.IsZero() && held.Sub(p.from) < least || last.Before(held) || last.Sub(held) >= margin {
		p.t.Errorf("killed %s after the last hold's end, which was %s after the handover's begin; want half a margin of %s",
			last.Sub(held), held.Sub(p.from), margin)
	}
}

// TestFaultsInTheMiddle: something breaks in the middle of a planned stop of a workload that only a kill ends. It is killed by the
// last hold's end, and the next one starts after that.
func TestFaultsInTheMiddle(t *testing.T) {
	t.Parallel()
	for _, way := range bothWays {
		for name, test := range map[string]func(*pair){
			"the store is cut": func(p *pair) {
				p.stepDown()
				time.Sleep(7 * time.Second)
				p.a.Cut()
				p.wantKilled(p.follow(), 7*time.Second)
			},
			"the sidecar is frozen": func(p *pair) { // the guard keeps the last deadline that it was given
				p.stepDown()
				time.Sleep(5 * time.Second)
				p.a.Freeze(p.t)
				p.wantKilled(p.follow(), 5*time.Second)
			},
			// It stays until the kill deadline, which gives the workload its time, and keeps it.
			"the sidecar is terminated, and the store is cut": func(p *pair) {
				p.a.term()
				time.Sleep(3 * time.Second)
				p.a.Cut()
				p.wantKilled(p.follow(), 0)
				<-p.a.Exited()
			},
			// The sidecar is the second hand.
			"the guard is frozen, and the store is cut": func(p *pair) { p.loseGuard(syscall.SIGSTOP) },
			"the guard is killed, and the store is cut": func(p *pair) { p.loseGuard(syscall.SIGKILL) },
		} {
			t.Run(way+", "+name, func(t *testing.T) {
				p := stubborn(t, way)
				test(p)
				if p.work.process.Lives() {
					t.Error("the workload lives on")
				}
				p.b.works()
				p.wantNoOverlap()
			})
		}
	}
}

func (p *pair) loseGuard(sig syscall.Signal) {
	p.t.Helper()
	guard := p.a.Guard()
	p.stepDown()
	time.Sleep(time.Second)
	if err := syscall.Kill(guard, sig); err != nil {
		p.t.Fatal(err)
	}
	p.a.Cut()
	held := p.follow()
	if last, _ := p.a.last(); !held.IsZero() && last.Sub(held) >= margin {
		p.t.Errorf("killed %s after the last hold's end", last.Sub(held))
	}
}

// leaves is the conduct of a program that ends soon after SIGTERM and leaves a worker that works on for so long.
func leaves(d time.Duration) harness.Conduct {
	return harness.Conduct{"Stop": 100 * time.Millisecond, "Workers": 1, "Leave": true, "Deaf": true, "Linger": d}
}

// awaitWorker waits until a's worker works, too.
func (p *pair) awaitWorker() {
	p.t.Helper()
	harness.Eventually(p.t, patience, "its worker works", func() bool {
		return slices.ContainsFunc(p.spells(), func(w spell) bool { return w.pod == "a" && w.process.PID != p.work.process.PID })
	})
}

// TestWorkersOutliveTheirMaster: the process ends at SIGTERM, and a worker of it works on: for as long as it takes, or until it
// is killed.
func TestWorkersOutliveTheirMaster(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		flags []string
		least time.Duration // that the worker works on
	}{
		"no fence": {[]string{"--fence", "none"}, 5 * time.Second},
		"fence":    {[]string{"--fence", "kill", "--stop-timeout", "4s"}, 3500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t, byProcess, leaves(5*time.Second), "3s", c.flags...)
			p.awaitWorker()
			time.Sleep(500 * time.Millisecond) // the sidecar has seen it
			p.stepDown()
			p.b.works()
			if last, _ := p.a.last(); last.Sub(p.from) < c.least {
				t.Errorf("the worker worked on for %s, want %s", last.Sub(p.from), c.least)
			}
			p.wantNoOverlap()
		})
	}
}

// TestGuardKillsTheWorkers: the sidecar is killed, the process ends, and its worker works on: the guard ends it.
func TestGuardKillsTheWorkers(t *testing.T) {
	p := newPair(t, byProcess, leaves(time.Hour), "3s", "--fence", "kill")
	p.awaitWorker()
	time.Sleep(500 * time.Millisecond) // the guard has been notified of it
	p.a.Stop(0)
	p.b.works()
	p.wantNoOverlap()
}

// TestEndpointDoesNotOverruleTheProcess: the health endpoint of a process is gone, and the process works on.
func TestEndpointDoesNotOverruleTheProcess(t *testing.T) {
	p := newPair(t, byProcess, harness.Conduct{"Stop": 4 * time.Second, "Unlisten": true}, "6s",
		"--health-tcp", appAddress, "--health-while", "leading", "--health-threshold", "100")
	time.Sleep(1500 * time.Millisecond) // its endpoint has been seen
	p.stepDown()
	p.b.works()
	if _, stopped := p.a.last(); !stopped {
		t.Error("it did not end by itself")
	}
	p.wantNoOverlap()
}

// TestSignalToTheSidecarProvesNothing: a native sidecar gets SIGTERM while the workload works, as after its own failed liveness
// probe. Nobody sees the workload, so its last validUntil decides.
func TestSignalToTheSidecarProvesNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	how := setup{
		program: []string{"-follow", "file", "-reports", "never"}, conduct: harness.Conduct{"Stop": 1400 * time.Millisecond},
		flags: []string{"--lease-duration", "6s", "--placement", "native"},
	}
	a := s.start("a", how)
	a.works()
	b := s.start("b", how)
	b.AwaitLog("standing by")
	a.term()
	b.works()
	s.wantNoOverlap()
}

// TestHungWorkloadIsAbandoned: nothing kills it. The Lease is neither released nor renewed: the log and a metric show that.
func TestHungWorkloadIsAbandoned(t *testing.T) {
	p := newPair(t, byProcess, harness.Conduct{"Stop": time.Hour}, "3s", "--stop-timeout", "5s")
	p.stepDown()
	next := p.b.works()
	// Renewed until 5 s after the begin, and free 3 s after the last renewal.
	if waited := next.from.Sub(p.from); waited < 7*time.Second || waited > 15*time.Second {
		t.Errorf("the next one worked %s after the handover's begin, want some 8s", waited)
	}
	if log := p.a.Log(); !strings.Contains(log, "reason=DrainAbandoned") || !strings.Contains(log, "running=process") {
		t.Errorf("the log does not show what was abandoned:\n%s", log)
	}
	if p.a.LogLine("reason=Released") != "" {
		t.Error("the Lease was released under it")
	}
	if got := p.a.Metric("lease_sidecar_drains_abandoned_total"); got != "1" {
		t.Errorf("lease_sidecar_drains_abandoned_total %s, want 1", got)
	}
}
