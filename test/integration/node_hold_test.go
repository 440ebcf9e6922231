//go:build linux

package integration

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestHoldCannotBeWritten lets the hold's write fail as the leader begins to hand over, and restarts it behind a cut line
// once another replica leads (I15): nobody else is let in before that what stood on disk was overwritten or has expired.
func TestHoldCannotBeWritten(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		moment bool // it can be written again soon
	}{
		{"for a moment", true},
		{"for good", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := harness.NewElection(t, harness.Shared(t), 12*time.Second)
			e.ShipFree(t)
			first, line := prepareBehind(t, e, "web-0")
			first.Unwritable(t)
			heir := startWithHeir(t, e, first)

			awaitRenewal(t, first)
			last := first.State().ValidUntil
			first.RefuseWrites(t)
			first.StepDown(t)
			harness.Eventually(t, slack, "the leader drains", func() bool { leads, _ := first.LeadsByHTTP(); return !leads })
			if tc.moment {
				first.AllowWrites(t)
			}
			awaitDrained(t, first)
			harness.AwaitLeader(t, 2*e.Duration+slack, heir)
			if took := sent(e, heir); tc.moment && !took.Before(last) {
				t.Errorf("the Lease was released %v after what stood on disk had expired, want soon after it could be written", took.Sub(last))
			}
			line.Cut()
			first.Stop(0)
			first.Start(t, e) // it reads nothing: the line is cut
			time.Sleep(e.RenewDeadline())
		})
	}
}

// TestHoldOfAnotherElection restarts a leader for an election in another namespace, on the same signal directory and
// behind a cut line: the term of the one is nothing in the other.
func TestHoldOfAnotherElection(t *testing.T) {
	t.Parallel()
	c := harness.Shared(t)
	e, other := harness.NewElection(t, c, 9*time.Second), harness.NewElection(t, c, 9*time.Second)
	e.ShipFree(t)
	other.ShipFree(t)
	moved, leader := e.Start(t, "web-0"), other.Start(t, "web-1")
	harness.AwaitLeader(t, e.Duration+slack, moved)
	harness.AwaitLeader(t, e.Duration+slack, leader)
	awaitRenewal(t, moved)

	line := c.Proxy(t)
	line.Cut()
	moved.Kubeconfig = other.Access.Kubeconfig(t, line.Host())
	moved.Stop(0)
	moved.Start(t, other)
	harness.Eventually(t, slack, "the moved replica runs", func() bool { return moved.ProbeStatus("/startupz") == http.StatusOK })
	watch(t, moved, leader)
	harness.Throughout(t, e.RenewDeadline(), "the leader of the other election leads on", func() bool {
		leads, _ := leader.Leads()
		return leads
	})
}

// TestHoldCopied copies a leader's signal directory, as a volume is cloned, and starts a second sidecar of the same pod on
// the copy: the hold in it names another file than itself, and is void.
func TestHoldCopied(t *testing.T) {
	t.Parallel()
	for _, cut := range []bool{false, true} {
		name := map[bool]string{false: "on a healthy line", true: "behind a cut line"}[cut]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			copied(t, cut)
		})
	}
}

func copied(t *testing.T, cut bool) {
	t.Helper()
	e, first := leadAlone(t, 5*time.Second)
	second, line := prepareBehind(t, e, "copy") // the witness's name for it
	if cut {
		line.Cut()
	}
	second.Env = []string{"POD_NAME=" + first.Pod, "POD_UID=" + first.UID}
	awaitRenewal(t, first)
	if out, err := exec.Command("cp", "-a", first.Dir+"/.", second.Dir).CombinedOutput(); err != nil {
		t.Fatalf("copy the signal directory: %v\n%s", err, out)
	}
	second.Start(t, e)
	harness.Eventually(t, slack, "the second runs", func() bool { return second.ProbeStatus("/startupz") == http.StatusOK })
	watch(t, first, second)
	time.Sleep(2 * e.Duration)
	if leads, _ := second.LeadsByHTTP(); leads {
		t.Error("the second leads on a copy of the first's hold")
	}
}

// unread is for how long the restarted sidecar of these tests cannot read the Lease.
const unread = 2 * time.Second

// TestNothingInheritedIsPublished restarts a leader behind a cut line (I14): until the Lease has been read it publishes nowhere
// that it leads, whatever the hold says; the document of before stands until its validUntil. Once the line is back it leads on,
// with a new token.
func TestNothingInheritedIsPublished(t *testing.T) {
	t.Parallel()
	t.Run("HTTP and files", func(t *testing.T) {
		t.Parallel()
		e, s, line := leaderBehindALine(t, func(*harness.Sidecar) {})
		restarted, before := restartCutOff(t, e, s, line), s.State()
		harness.Throughout(t, restarted.Add(unread).Sub(now()), "HTTP does not say that it leads, the document of before stands", func() bool {
			status, l := s.Leader()
			leads, token := s.Leads()
			return (status == 0 || status == http.StatusServiceUnavailable) && !l.IsLeader && leads && token == before.Token
		})
		checkResumes(t, s, line, before.Token)
	})
	t.Run("HTTP and files, until the end", func(t *testing.T) {
		t.Parallel()
		e, s, line := leaderBehindALine(t, func(*harness.Sidecar) {})
		restartCutOff(t, e, s, line)
		deadline := s.State().ValidUntil
		for ; now().Before(deadline.Add(time.Second)); time.Sleep(5 * time.Millisecond) {
			look := now()
			leads, _ := s.Leads()
			if byHTTP, _ := s.LeadsByHTTP(); byHTTP || leads && !look.Before(deadline) {
				t.Fatalf("%v before the end of the term of before: leads by HTTP: %v, by the document: %v", deadline.Sub(look), byHTTP, leads)
			}
		}
		line.Heal()
		harness.AwaitLeader(t, e.Duration+slack, s)
	})
	t.Run("child", func(t *testing.T) {
		t.Parallel()
		work := harness.NewWork(t)
		e, s, line := leaderBehindALine(t, func(s *harness.Sidecar) {
			s.Args = append(append(s.Args, "--"), work.Command(t, s.Pod, nil, "-child")...)
		})
		work.Await(t, slack, s.Pod)
		token := s.State().Token
		restarted := restartCutOff(t, e, s, line)
		time.Sleep(unread)
		healed := now()
		checkResumes(t, s, line, token)
		work.Await(t, slack, s.Pod)
		for _, term := range work.Terms(t) {
			if restarted.Before(term.From) && term.From.Before(healed) {
				t.Errorf("the command was started %v after the restart, and %v before the Lease could be read", term.From.Sub(restarted), healed.Sub(term.From))
			}
		}
	})
	t.Run("process signal", func(t *testing.T) {
		t.Parallel()
		heard := filepath.Join(t.TempDir(), "heard")
		elected := func() int {
			b, _ := os.ReadFile(heard) // not there yet: nothing was heard
			return strings.Count(string(b), "elected")
		}
		e, s, line := leaderBehindALine(t, func(s *harness.Sidecar) {
			startSignalled(t, s, "USR2", `trap 'echo elected >>"$1"' USR1; trap 'echo lost >>"$1"' USR2`, heard)
		})
		harness.Eventually(t, slack, "the process has heard that it leads", func() bool { return elected() == 1 })
		token := s.State().Token
		restartCutOff(t, e, s, line)
		harness.Throughout(t, unread, "the process does not hear that it leads", func() bool { return elected() == 1 })
		checkResumes(t, s, line, token)
		harness.Eventually(t, slack, "the process hears that it leads", func() bool { return elected() == 2 })
	})
}

// leaderBehindALine starts one replica that reaches the API server by a line of its own, and waits until it leads.
func leaderBehindALine(t *testing.T, change func(*harness.Sidecar)) (*harness.Election, *harness.Sidecar, *harness.Proxy) {
	t.Helper()
	e := harness.NewElection(t, harness.Shared(t), 12*time.Second)
	e.ShipFree(t)
	s, line := prepareBehind(t, e, "web-0")
	change(s)
	s.Start(t, e)
	harness.AwaitLeader(t, e.Duration+slack, s)
	return e, s, line
}

// restartCutOff cuts the line just after a renewal and restarts the sidecar. It returns when.
func restartCutOff(t *testing.T, e *harness.Election, s *harness.Sidecar, line *harness.Proxy) bootclock.Instant {
	t.Helper()
	awaitRenewal(t, s)
	line.Cut()
	s.Stop(0)
	restarted := now()
	s.Start(t, e)
	return restarted
}

// checkResumes heals the line: the term is resumed, under a new token.
func checkResumes(t *testing.T, s *harness.Sidecar, line *harness.Proxy, before string) {
	t.Helper()
	line.Heal()
	harness.Eventually(t, slack, "it leads on, with a new token", func() bool {
		leads, token := s.LeadsByHTTP()
		return leads && greater(token, before)
	})
}
