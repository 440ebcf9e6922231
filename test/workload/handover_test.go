//go:build linux

package workload

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

var (
	handoverCount = flag.Int("handovers", 21, "how many handovers there are of each kind")
	longestStop   = flag.Duration("stop", 200*time.Millisecond, "how long the work takes to stop, at most; once of each kind it is 2 s")
)

// The ways in which a program hears whether it leads, and shows that it has stopped. Each looks at the stage's file for how long
// a stop takes.
var (
	fileDrained   = setup{program: []string{"-follow", "file", "-reports", "always"}}
	fileLocked    = setup{program: []string{"-follow", "file", "-reports", "never", "-shows", "lock"}}
	httpDrained   = setup{program: []string{"-follow", "http", "-reports", "always"}}
	httpOpen      = setup{program: []string{"-follow", "http", "-reports", "never", "-shows", "running"}}
	httpEndpoint  = setup{program: []string{"-follow", "http", "-reports", "never", "-health", appAddress}, flags: []string{"--health-tcp", appAddress}}
	signalDrained = setup{program: []string{"-reports", "always", "-pid-file", pidFile}, flags: bySignal}
	signalExit    = setup{program: []string{"-reports", "never", "-pid-file", pidFile}, flags: bySignal}
	asChild       = setup{program: []string{"-reports", "never", "-child"}, child: true}

	bySignal = []string{"--pid-file", harness.Here + pidFile, "--on-elected", "USR1", "--on-lost", "USR2"}
)

// with returns the setup with more flags, and a program that takes as long to stop as the stage's file says.
func (s setup) with(flags ...string) setup {
	s.program = append(slices.Clip(s.program), "-stop-file", stopFile)
	s.flags = append(slices.Clip(s.flags), flags...)
	return s
}

// TestTheNextNeverStartsBeforeTheLastHasStopped: 200 handovers and more, over the ways to hear and to show that the work has
// stopped, each of a workload that takes up to 200 ms to stop, and once in each way 2 s. `make handovers` has 200 of each way,
// with stops of up to 2 s.
func TestTheNextNeverStartsBeforeTheLastHasStopped(t *testing.T) {
	classic := []string{"--placement", "classic"}
	for _, c := range []struct {
		name  string
		how   setup
		flags []string
		act   func(*pod)
	}{
		{"file, drained, step-down", fileDrained, nil, (*pod).stepDown},
		{"file, drained, classic placement", fileDrained, classic, (*pod).restartClassic},
		{"HTTP, drained, step-down", httpDrained, nil, (*pod).stepDown},
		{"HTTP, health endpoint, native placement", httpEndpoint, nil, (*pod).restartClassic},
		{"HTTP, health endpoint, classic placement", httpEndpoint, classic, (*pod).restartClassic},
		{"process signal, drained, step-down", signalDrained, nil, (*pod).stepDown},
		{"process signal, its exit, classic placement", signalExit, classic, (*pod).restartClassic},
		{"process signal, its exit, native placement", signalExit, nil, (*pod).restartNative},
		{"file, run lock, step-down", fileLocked, nil, (*pod).stepDown},
		{"file, run lock, SIGTERM", fileLocked, nil, (*pod).restartClassic},
		{"HTTP, GET /running, step-down", httpOpen, nil, (*pod).stepDown},
		{"HTTP, GET /running, SIGTERM", httpOpen, nil, (*pod).restartClassic},
		{"child, step-down", asChild, nil, (*pod).stepDown},
		{"child, SIGTERM", asChild, nil, (*pod).restartClassic},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			replicas := 3
			if strings.HasSuffix(c.name, "step-down") {
				replicas = 6 // who has stepped down stays out for 5 s
			}
			pods := s.startMany(replicas, c.how.with(append([]string{"--lease-duration", "6s"}, c.flags...)...))
			chance := rand.New(rand.NewPCG(1, uint64(len(c.name))))
			var took []time.Duration
			for i := range *handoverCount {
				takes := time.Duration(chance.Int64N(int64(*longestStop)))
				if i == *handoverCount/2 {
					takes = 2 * time.Second
				}
				took = append(took, s.handOver(pods, c.act, takes))
			}
			s.wantNoOverlap()
			if got := len(s.spells()); got < *handoverCount+1 {
				t.Errorf("%d spells of work, want %d or more", got, *handoverCount+1)
			}
			t.Logf("%d handovers, from the stop of the work to the next start: p50 %s, max %s", len(took), harness.Rank(took, .5), harness.Rank(took, 1))
		})
	}
}

// startMany starts so many pods, by their names.
func (s *stage) startMany(n int, how setup) map[string]*pod {
	s.t.Helper()
	pods := map[string]*pod{}
	for i := range n {
		name := fmt.Sprintf("toy-%d", i)
		pods[name] = s.start(name, how)
	}
	return pods
}

// handOver waits for somebody to work, makes it hand over, and returns the time from the end of its work to the begin of the next
// one's.
func (s *stage) handOver(pods map[string]*pod, act func(*pod), takes time.Duration) time.Duration {
	s.t.Helper()
	s.setStop(takes)
	leader := s.awaitWork()
	before := len(s.spells())
	act(pods[leader.pod])
	next, last := s.awaitNext(before)
	return next.from.Sub(last.to)
}

// stepDown asks for a handover. A leader that a starved machine has just made lose its term refuses: then another one follows all
// the same.
func (p *pod) stepDown() {
	p.stage.t.Helper()
	if status, body := p.Ask(http.MethodPost, "/step-down"); status != http.StatusAccepted && status != http.StatusConflict {
		p.stage.t.Fatalf("POST /step-down: %d %s", status, body)
	}
}

// restartNative ends the pod as the kubelet does with a native sidecar: the program first, and once it has exited, the sidecar.
// Then it starts anew.
func (p *pod) restartNative() {
	p.app.Terminate(p.stage.t)
	p.Terminate(p.stage.t)
	p.run()
}

// restartClassic ends the pod as the kubelet does with ordinary containers: all at once. Then it starts anew.
func (p *pod) restartClassic() {
	p.term()
	if p.app != nil {
		p.app.Terminate(p.stage.t)
	}
	p.AwaitExit(p.stage.t, patience, 0)
	p.run()
}

// term sends SIGTERM to the sidecar.
func (p *pod) term() {
	p.stage.t.Helper()
	if err := p.Signal(syscall.SIGTERM); err != nil {
		p.stage.t.Fatal(err)
	}
}

// TestASlowStopGetsItsTime: the work takes 25 s to stop, with the run lock held and renewals going on; nobody else works meanwhile,
// and the next one starts soon after it.
func TestASlowStopGetsItsTime(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	took := s.handOver(s.startMany(2, fileLocked.with("--lease-duration", "6s")), (*pod).stepDown, 25*time.Second)
	s.wantNoOverlap()
	if took > 3*time.Second { // a Lease that runs out does so later
		t.Errorf("the next one works %s after the stop, as if nobody had seen it", took)
	}
}

// TestAKilledWorkloadIsReleasedAtOnce kills the program that works, with SIGKILL, and has another pod work soon: the kernel shows
// its end, by the run lock, by the connection of GET /running, or by the process.
func TestAKilledWorkloadIsReleasedAtOnce(t *testing.T) {
	for sight, how := range map[string]setup{"run-lock": fileLocked, "running": httpOpen, "process": signalExit} {
		t.Run(sight, func(t *testing.T) {
			t.Parallel()
			const kills = 12
			s := newStage(t)
			pods := s.startMany(6, how.with("--lease-duration", "15s")) // who has released rests for 5 s
			var took, released []time.Duration
			for range kills {
				p := pods[s.awaitWork().pod]
				before := len(s.spells())
				// A lock that is let go within 20 ms of its file's opening is not seen: the sidecar keeps away from it.
				time.Sleep(250 * time.Millisecond)
				wall := time.Now()
				killed := now()
				p.app.Stop(0)
				next, _ := s.awaitNext(before)
				took = append(took, next.from.Sub(killed))
				released = append(released, p.released(wall).Sub(wall))
				p.AwaitLog("reason=WorkloadEnded sight=" + sight)
				p.startApp()
			}
			s.wantNoOverlap()
			median := harness.Rank(released, .5)
			t.Logf("%d kills, from SIGKILL to the release: p50 %s, max %s; to the next one's work: p50 %s, max %s",
				kills, median, harness.Rank(released, 1), harness.Rank(took, .5), harness.Rank(took, 1))
			if median > 2*time.Second { // a Lease that runs out does so after 10 s at the earliest
				t.Errorf("the median is %s", median)
			}
		})
	}
}

// released returns when the sidecar has logged that the Lease is released, after that time.
func (p *pod) released(after time.Time) (at time.Time) {
	p.stage.t.Helper()
	harness.Eventually(p.stage.t, patience, "the Lease is released", func() (so bool) {
		at, so = p.LoggedAt(after, "reason=Released")
		return so
	})
	return at
}
