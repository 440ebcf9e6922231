package planned

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// fence is what a sidecar needs to kill its workload in the end; in child mode it does so by itself.
var fence = map[string][]string{byProcess: {"--fence", "kill"}}

// takes is the environment of a workload that needs so long to stop.
func takes(d string) []string { return []string{stopEnv + "=" + d} }

// TestAppGetsTheTimeThatItNeeds: more than several lease durations.
func TestAppGetsTheTimeThatItNeeds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ way, duration string }{{byChild, "6s"}, {byProcess, "6s"}, {byChild, "15s"}} {
		t.Run(c.way+", "+c.duration, func(t *testing.T) {
			s := newStage(t, c.way, c.duration, takes("25s"), fence[c.way]...)
			a := s.start("a")
			a.works()
			b := s.start("b")
			time.Sleep(500 * time.Millisecond) // b knows of a
			told := now()
			a.stepDown()
			next := b.works()
			last, stopped := a.last()
			if worked := last.Sub(told); !stopped || worked < 24500*time.Millisecond {
				t.Errorf("it worked on for %s and ended by itself: %v; want 25s, and so", worked, stopped)
			}
			if gap := next.begin.Sub(last); gap > 3*time.Second {
				t.Errorf("the next one worked %s later", gap)
			} else {
				t.Logf("the next one worked %s later", gap)
			}
			s.noOverlap()
		})
	}
}

// TestStopTimeoutKills: a workload that heeds no SIGTERM has the stop timeout, and the Lease is released then.
func TestStopTimeoutKills(t *testing.T) {
	t.Parallel()
	for _, way := range []string{byChild, byProcess} {
		t.Run(way, func(t *testing.T) {
			s := newStage(t, way, "3s", takes("1h"), append([]string{"--stop-timeout", "6s"}, fence[way]...)...)
			a := s.start("a")
			a.works()
			b := s.start("b")
			time.Sleep(500 * time.Millisecond)
			told := now()
			a.stepDown()
			next := b.works()
			last, _ := a.last()
			if worked := last.Sub(told); worked < 5500*time.Millisecond || worked > 7500*time.Millisecond {
				t.Errorf("it worked on for %s, want 6s", worked)
			}
			if gap := next.begin.Sub(last); gap > 900*time.Millisecond && !strings.Contains(a.log(), "reason=Released") {
				t.Errorf("the next one worked %s later, want at once: a Lease that runs out does so 1 s later", gap)
			}
			s.noOverlap()
		})
	}
}

// follow returns the last end of the hold that a replica's document says, until its workload has ended.
func (r *replica) follow() (last bootclock.Instant) {
	r.t.Helper()
	w := r.works()
	r.within(40*time.Second, "its workload ends", func() bool {
		last = max(last, r.hold())
		return !alive(w.pid)
	})
	return last
}

func alive(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(b), ") Z ")
}

// margin is the kill margin at a lease duration of 6 s.
const margin = 1200 * time.Millisecond

// stubbornPair has a work, at a lease duration of 6 s, which nothing but a fence ends, and b stand by.
func stubbornPair(t *testing.T, way string) (s *stage, a, b *replica, works record) {
	t.Helper()
	s = newStage(t, way, "6s", takes("1h"), fence[way]...)
	a = s.start("a")
	works = a.works()
	b = s.start("b")
	time.Sleep(500 * time.Millisecond)
	return s, a, b, works
}

// TestRenewalsFailInTheMiddle: the store is cut in a planned stop. The workload is killed by the last hold's end, and the
// next one starts after it.
func TestRenewalsFailInTheMiddle(t *testing.T) {
	t.Parallel()
	for _, way := range []string{byChild, byProcess} {
		t.Run(way, func(t *testing.T) {
			s, a, b, _ := stubbornPair(t, way)
			told := now()
			a.stepDown()
			time.Sleep(7 * time.Second)
			a.cut()
			held := a.follow()
			last, _ := a.last()
			if held.Sub(told) < 7*time.Second || last.Before(held) || last.Sub(held) >= margin {
				t.Errorf("killed %s after the last hold's end, which was %s after the handover's begin; want half a margin of %s",
					last.Sub(held), held.Sub(told), margin)
			}
			next := b.works()
			t.Logf("killed %s after the last hold's end, the next one worked %s later", last.Sub(held), next.begin.Sub(last))
			s.noOverlap()
		})
	}
}

// TestGuardIsLostInTheMiddle: of a planned stop, and then the store is cut: the sidecar is the second hand.
func TestGuardIsLostInTheMiddle(t *testing.T) {
	t.Parallel()
	for _, way := range []string{byChild, byProcess} {
		for name, sig := range map[string]syscall.Signal{"frozen": syscall.SIGSTOP, "killed": syscall.SIGKILL} {
			t.Run(way+", "+name, func(t *testing.T) {
				s, a, b, w := stubbornPair(t, way)
				guard := a.guard()
				a.stepDown()
				time.Sleep(time.Second)
				if err := syscall.Kill(guard, sig); err != nil {
					t.Fatal(err)
				}
				a.cut()
				held := a.follow()
				if last, _ := a.last(); !held.IsZero() && last.Sub(held) >= margin || alive(w.pid) {
					t.Errorf("killed %s after the last hold's end", last.Sub(held))
				}
				b.works()
				s.noOverlap()
			})
		}
	}
}

// TestSidecarIsFrozenInTheMiddle: of a planned stop: the guard keeps the last deadline that it was told.
func TestSidecarIsFrozenInTheMiddle(t *testing.T) {
	t.Parallel()
	for _, way := range []string{byChild, byProcess} {
		t.Run(way, func(t *testing.T) {
			s, a, b, _ := stubbornPair(t, way)
			told := now()
			a.stepDown()
			time.Sleep(5 * time.Second)
			a.send(syscall.SIGSTOP)
			held := a.follow()
			last, _ := a.last()
			if held.Sub(told) < 5*time.Second || last.Sub(held) < 0 || last.Sub(held) >= margin {
				t.Errorf("killed %s after the last hold's end, which was %s after the handover's begin", last.Sub(held), held.Sub(told))
			}
			b.works()
			s.noOverlap()
		})
	}
}

// TestSidecarEndsAfterItsWorkload: it is terminated, and the store is cut: it stays until the kill deadline, which gives the
// workload its time, and keeps it.
func TestSidecarEndsAfterItsWorkload(t *testing.T) {
	t.Parallel()
	for _, way := range []string{byChild, byProcess} {
		t.Run(way, func(t *testing.T) {
			s, a, b, w := stubbornPair(t, way)
			a.send(syscall.SIGTERM)
			time.Sleep(3 * time.Second)
			a.cut()
			held := a.follow()
			last, _ := a.last()
			if last.Before(held) || last.Sub(held) >= margin {
				t.Errorf("killed %s after the last hold's end, want after it", last.Sub(held))
			}
			<-a.over
			if alive(w.pid) {
				t.Error("it outlives the sidecar")
			}
			b.works()
			s.noOverlap()
		})
	}
}

// workWithWorker waits until both work and the sidecar knows of them.
func (r *replica) workWithWorker() {
	r.t.Helper()
	r.works()
	r.within(10*time.Second, "its worker works", func() bool { return len(r.spells()) == 2 })
}

// TestWorkersOutliveTheirMaster: the process ends at SIGTERM, and a worker of it works on: for as long as it takes, or until
// it is killed.
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
			s := newStage(t, byProcess, "3s", append(takes("100ms"), leavesEnv+"=5s"), c.flags...)
			a := s.start("a")
			a.workWithWorker()
			b := s.start("b")
			time.Sleep(500 * time.Millisecond)
			told := now()
			a.stepDown()
			b.works()
			if last, _ := a.last(); last.Sub(told) < c.least {
				t.Errorf("the worker worked on for %s, want %s", last.Sub(told), c.least)
			}
			s.noOverlap()
		})
	}
}

// TestGuardKillsTheWorkers: the sidecar is killed, the process ends, and its worker works on: the guard ends it.
func TestGuardKillsTheWorkers(t *testing.T) {
	s := newStage(t, byProcess, "3s", append(takes("100ms"), leavesEnv+"=1h"), "--fence", "kill")
	a := s.start("a")
	a.workWithWorker()
	b := s.start("b")
	time.Sleep(500 * time.Millisecond)
	a.send(syscall.SIGKILL)
	b.works()
	s.noOverlap()
}

// TestEndpointDoesNotOverruleTheProcess: its health endpoint is gone, and the process works on.
func TestEndpointDoesNotOverruleTheProcess(t *testing.T) {
	s := newStage(t, byProcess, "6s", append(takes("4s"), endpointEnv+"=yes"), "--health-tcp", "unix:"+socket,
		"--health-while", "leading", "--health-threshold", "100")
	a := s.start("a")
	a.works()
	b := s.start("b")
	time.Sleep(1500 * time.Millisecond) // its endpoint has been seen
	a.stepDown()
	b.works()
	if _, stopped := a.last(); !stopped {
		t.Error("it did not end by itself")
	}
	s.noOverlap()
}

// TestSignalToTheSidecarProvesNothing: a native sidecar gets SIGTERM while the workload works, as after its own failed
// liveness probe. Nobody sees the workload, so its last validUntil decides.
func TestSignalToTheSidecarProvesNothing(t *testing.T) {
	s := newStage(t, byFile, "6s", takes("1400ms"), "--placement", "native")
	a := s.start("a")
	a.works()
	b := s.start("b")
	time.Sleep(500 * time.Millisecond)
	a.send(syscall.SIGTERM)
	b.works()
	s.noOverlap()
}

// TestHungWorkloadIsAbandoned: nothing kills it. The Lease is neither released nor renewed: that is said.
func TestHungWorkloadIsAbandoned(t *testing.T) {
	s := newStage(t, byProcess, "3s", takes("1h"), "--stop-timeout", "5s")
	a := s.start("a")
	a.works()
	b := s.start("b")
	time.Sleep(500 * time.Millisecond)
	told := now()
	a.stepDown()
	next := b.works()
	// Renewed until 5 s after the begin, and free 3 s after the last renewal.
	if waited := next.begin.Sub(told); waited < 7*time.Second || waited > 12*time.Second {
		t.Errorf("the next one worked %s after the handover's begin, want some 8s", waited)
	}
	log := a.log()
	for _, want := range []string{"reason=DrainAbandoned", "running=process"} {
		if !strings.Contains(log, want) {
			t.Errorf("no %s in the log", want)
		}
	}
	if strings.Contains(log, "reason=Released") {
		t.Error("the Lease was released under it")
	}
	if got := a.metric("lease_sidecar_drains_abandoned_total"); got != "1" {
		t.Errorf("lease_sidecar_drains_abandoned_total %s, want 1", got)
	}
}
