//go:build linux

package integration

import (
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// machine is a replica on a machine with clocks of its own.
type machine struct {
	*harness.Sidecar
	clock *harness.ClockFile
}

// startOn starts a replica on a machine of its own, whose clocks the test may set wrong. Where a line is given, it
// reaches the API server through it.
func startOn(t *testing.T, e *harness.Election, pod string, line *harness.Proxy) machine {
	t.Helper()
	m := machine{Sidecar: e.Prepare(t, pod), clock: harness.NewClockFile(t)}
	m.Binary, m.Env = harness.SkewableBinary(t), []string{m.clock.Env()}
	if line != nil {
		m.Kubeconfig = e.Access.Kubeconfig(t, line.Host())
	}
	m.Start(t, e)
	return m
}

// awaitLead waits until the machine's own app would read by the machine's own clocks that it leads.
func (m machine) awaitLead(t *testing.T, bound time.Duration) {
	t.Helper()
	harness.Eventually(t, bound, m.Pod+" leads", func() bool { leads, _ := m.clock.Leads(m.Sidecar); return leads })
}

// sentAt returns, on the true clock, when the newest applied write of a leader was sent.
func (m machine) sentAt(e *harness.Election) bootclock.Instant {
	return m.clock.True(sent(e, m.Sidecar))
}

// TestWallClockSteps steps the wall clocks of a leader and a standby apart by hours and lets them stand still (fault 8):
// the same one leads on, every renewal differs from the one before by the second, and a crash still costs the rest
// of the Lease, no less.
func TestWallClockSteps(t *testing.T) {
	t.Parallel()
	e := harness.NewElection(t, harness.Shared(t), 3*time.Second)
	e.Ship(t)
	leader := startOn(t, e, "web-0", nil)
	leader.awaitLead(t, e.Duration+slack)
	standby := startOn(t, e, "web-1", nil)
	witness := watch(t)
	witness.AddOn(leader.clock, leader.Sidecar)
	witness.AddOn(standby.clock, standby.Sidecar)
	awaitNaming(t, standby.Sidecar, leader.Sidecar)
	chronicle := recordHistory(t, e)
	unmoved := steady(leader.Sidecar)

	for _, step := range []struct {
		name            string
		leader, standby func(*harness.ClockFile)
	}{
		{"an hour forward, an hour back", stepped(time.Hour), stepped(-time.Hour)},
		{"two hours back, two hours forward", stepped(-2 * time.Hour), stepped(2 * time.Hour)},
		{"both frozen", (*harness.ClockFile).FreezeWall, (*harness.ClockFile).FreezeWall},
		{"both running again, an hour ahead", stepped(time.Hour), stepped(time.Hour)},
	} {
		t.Log(step.name)
		step.leader(leader.clock)
		step.standby(standby.clock)
		harness.Throughout(t, 4*time.Second, "the same leader: "+step.name, unmoved)
	}
	checkRenewalsDiffer(t, chronicle, 12)

	last := leader.State()
	leader.Stop(0)
	standby.awaitLead(t, e.Duration+slack)
	if expiry := last.ValidUntil.Add(e.Duration - e.RenewDeadline()); standby.sentAt(e).Before(expiry) {
		t.Errorf("the Lease was taken %v before it had expired", expiry.Sub(standby.sentAt(e)))
	}
	if ahead := time.Until(e.Read(t).Spec.AcquireTime.Time); ahead < time.Hour {
		t.Errorf("the new term was acquired %v ahead of the true time, want hours: nothing was shown", ahead)
	}
}

func stepped(d time.Duration) func(*harness.ClockFile) {
	return func(c *harness.ClockFile) { c.Step(d) }
}

// checkRenewalsDiffer checks that an elector which compares renew times by the second saw every renewal.
func checkRenewalsDiffer(t *testing.T, h *history, atLeast int) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	var last *coordinationv1.Lease
	renewals := 0
	for _, l := range h.versions {
		if l.Spec.RenewTime == nil || l.Spec.HolderIdentity == nil {
			continue
		}
		if last != nil && last.ResourceVersion != l.ResourceVersion && *last.Spec.HolderIdentity == *l.Spec.HolderIdentity {
			renewals++
			if l.Spec.RenewTime.Unix() == last.Spec.RenewTime.Unix() {
				t.Errorf("versions %s and %s both say %v by the second", last.ResourceVersion, l.ResourceVersion, l.Spec.RenewTime)
			}
		}
		last = l
	}
	if renewals < atLeast {
		t.Errorf("%d renewals were seen, want at least %d: nothing was shown", renewals, atLeast)
	}
}

// TestBootClockRates lets boot clocks run one percent off, leader and standby in opposite directions (fault 8). First
// the slow one leads and is cut off, so that it believes for as long as it can, while the fast one is as early as it
// can be; then the fast one crashes.
func TestBootClockRates(t *testing.T) {
	t.Parallel()
	const fast, slow = 1.01, 0.99
	e := harness.NewElection(t, harness.Shared(t), 3*time.Second)
	e.Ship(t)
	line := e.Cluster.Proxy(t)
	first := startOn(t, e, "web-0", line)
	first.clock.Rate(slow)
	first.awaitLead(t, e.Duration+slack)
	second := startOn(t, e, "web-1", nil)
	second.clock.Rate(fast)
	witness := watch(t)
	witness.AddOn(first.clock, first.Sidecar)
	witness.AddOn(second.clock, second.Sidecar)
	awaitNaming(t, second.Sidecar, first.Sidecar)
	_, token := first.clock.Leads(first.Sidecar)
	harness.Throughout(t, 3*e.Duration, "the slow one leads on", func() bool {
		leads, same := first.clock.Leads(first.Sidecar)
		return leads && same == token
	})

	t.Log("the slow leader is cut off")
	line.Cut()
	last := first.sentAt(e)
	second.awaitLead(t, 2*e.Duration+slack)
	checkWaited(t, e, last, second, fast)
	line.Heal()
	awaitNaming(t, first.Sidecar, second.Sidecar)

	t.Log("the fast leader crashes")
	second.Stop(0)
	last = second.sentAt(e)
	first.awaitLead(t, 2*e.Duration+slack)
	checkWaited(t, e, last, first, slow)
}

// checkWaited checks that the heir took the Lease a whole lease duration, by its own clock, after the last write of
// who led before, which was sent at last.
func checkWaited(t *testing.T, e *harness.Election, last bootclock.Instant, heir machine, rate float64) {
	t.Helper()
	const rounding = time.Millisecond
	want := time.Duration(float64(e.Duration)/rate) - rounding
	if waited := heir.sentAt(e).Sub(last); waited < want || waited > want+slack {
		t.Errorf("%s took the Lease %v after the last write of its holder, want at least %v", heir.Pod, waited, want)
	}
}

// TestServersWithOtherClocks puts two API servers whose wall clocks are 5 s apart behind a balancer that sends two
// requests to the one and two to the other: what their answers' Date headers say ends no term, as each renewal that succeeds proves
// more.
func TestServersWithOtherClocks(t *testing.T) {
	t.Parallel()
	const span = 25 * time.Second
	e := harness.NewElection(t, harness.Shared(t), 9*time.Second)
	e.ShipFree(t)
	replicas, _ := startVia(t, e, func(t testing.TB) *harness.Storm {
		storm := e.Cluster.Storm(t)
		var mu sync.Mutex
		asked := 0
		storm.Faults(func(r *http.Request) harness.Fate {
			mu.Lock()
			defer mu.Unlock()
			if isWatch(r) {
				return harness.Fate{}
			}
			if asked++; asked/2%2 == 0 {
				return harness.Fate{Date: 5 * time.Second}
			}
			return harness.Fate{}
		})
		return storm
	})
	harness.AwaitLeader(t, e.Duration+slack, replicas...)
	witness := watch(t, replicas...)
	from := now()
	time.Sleep(span)
	witness.Stop()
	var led time.Duration
	terms := witness.Terms("state")
	for _, term := range terms {
		led += term.To.Sub(term.From)
	}
	share := led.Seconds() / now().Sub(from).Seconds()
	t.Logf("figure: somebody led for %.0f %% of the time, in %d terms", 100*share, len(terms))
	if share < 0.97 || len(terms) != 1 {
		t.Errorf("somebody led for %.0f %% of the time in %d terms, want one term all the time", 100*share, len(terms))
	}
}

// TestReaderInAnotherTimeNamespace has a dead leader's document read where the boot clock is minutes behind: its
// deadline means nothing there, and nobody believes it.
func TestReaderInAnotherTimeNamespace(t *testing.T) {
	t.Parallel()
	behind := min(600*time.Second, time.Duration(now())/2).Truncate(time.Second) // the clock must not be negative
	_, s := leadAlone(t, 3*time.Second)
	if out, code := s.Ask(t, "is-leader", "--signal-dir", s.Dir); code != 0 {
		t.Fatalf("is-leader beside the leader: status %d, want 0\n%s", code, out)
	}
	if out, code := isLeaderBehind(t, s, behind); code == 0 {
		t.Errorf("is-leader, its clock %v behind a live leader's: it says yes, which it cannot know\n%s", behind, out)
	}
	deadline := s.State().ValidUntil
	s.Stop(0)
	deadline = max(deadline, s.State().ValidUntil)
	time.Sleep(deadline.Add(100 * time.Millisecond).Sub(now()))
	if out, code := s.Ask(t, "is-leader", "--signal-dir", s.Dir); code == 0 {
		t.Errorf("is-leader after the end of the term: it says yes\n%s", out)
	}
	believed := time.Duration(0)
	if out, code := isLeaderBehind(t, s, behind); code == 0 {
		believed = behind - now().Sub(deadline)
		t.Errorf("is-leader, its clock %v behind, after the end of the term: it says yes, and will for %v more\n%s", behind, believed, out)
	}
	t.Logf("figure: a dead leader is believed for %.0f s", believed.Seconds())
}

// isLeaderBehind runs is-leader in a time namespace whose boot clock is that far behind. It needs root.
func isLeaderBehind(t *testing.T, s *harness.Sidecar, behind time.Duration) (string, int) {
	t.Helper()
	namespaced := []string{"--time", "--boottime", fmt.Sprintf("-%d", int(behind.Seconds())), "--fork"}
	up := exec.Command("unshare", append(namespaced, "cat", "/proc/uptime")...)
	out, err := up.Output()
	if err != nil {
		t.Fatalf("read the boot clock in a time namespace: %v (it takes root)", err)
	}
	var seconds float64
	if _, err := fmt.Fscan(strings.NewReader(string(out)), &seconds); err != nil {
		t.Fatalf("read the boot clock in a time namespace: %v", err)
	}
	if off := time.Duration(now()) - time.Duration(seconds*float64(time.Second)); off < behind-5*time.Second {
		t.Fatalf("the boot clock in the time namespace is %v behind, want %v: nothing is tested", off, behind)
	}
	return harness.RunCommand(t, "unshare", append(namespaced, s.Binary, "is-leader", "--signal-dir", s.Dir)...)
}
