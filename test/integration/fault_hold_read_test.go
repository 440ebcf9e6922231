//go:build linux

package integration

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// unread is for how long the restarted sidecar of these tests cannot read the Lease.
const unread = 2 * time.Second

// TestNothingInheritedIsTold restarts a leader behind a cut line (I14): until the Lease has been read it tells nobody that
// it leads, whatever the hold says; the document of before stands until its validUntil. Once the line is back it leads on,
// with a new token.
func TestNothingInheritedIsTold(t *testing.T) {
	t.Parallel()
	t.Run("HTTP and files", func(t *testing.T) {
		t.Parallel()
		e, s, line := leaderBehindALine(t, func(*harness.Sidecar) {})
		restarted, before := restartCutOff(t, e, s, line), s.State()
		harness.Throughout(t, restarted.Add(unread).Sub(now()), "HTTP does not say that it leads, the document of before stands", func() bool {
			status, l := s.Leader()
			told, token := s.Told()
			return (status == 0 || status == http.StatusServiceUnavailable) && !l.IsLeader && told && token == before.Token
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
			told, _ := s.Told()
			if byHTTP, _ := s.ToldByHTTP(); byHTTP || told && !look.Before(deadline) {
				t.Fatalf("%v before the end of the term of before: told by HTTP: %v, by the document: %v", deadline.Sub(look), byHTTP, told)
			}
		}
		line.Heal()
		harness.AwaitLeader(t, e.Duration+slack, s)
	})
	t.Run("child", func(t *testing.T) {
		t.Parallel()
		work := harness.NewWork(t)
		e, s, line := leaderBehindALine(t, func(s *harness.Sidecar) {
			s.Args = append(append(s.Args, "--"), work.Command(s.Pod)...)
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
		e, s, line := leaderBehindALine(t, func(s *harness.Sidecar) { startListener(t, s, heard) })
		harness.Eventually(t, slack, "the process has heard that it leads", func() bool { return elected() == 1 })
		token := s.State().Token
		restartCutOff(t, e, s, line)
		harness.Throughout(t, unread, "the process does not hear that it leads", func() bool { return elected() == 1 })
		checkResumes(t, s, line, token)
		harness.Eventually(t, slack, "the process hears that it leads", func() bool { return elected() == 2 })
	})
}

// startListener starts a process that writes down what it is told by signals, and has the replica tell it.
func startListener(t *testing.T, s *harness.Sidecar, heard string) {
	t.Helper()
	pidFile := heard + ".pid"
	cmd := exec.Command("sh", "-c", `trap 'echo elected >>"$0"' USR1; trap 'echo lost >>"$0"' USR2
		echo $$ >"$1.new"; mv "$1.new" "$1"; while :; do sleep 0.05; done`, heard, pidFile)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	harness.Eventually(t, slack, "the process listens", func() bool {
		_, err := os.Stat(pidFile)
		return err == nil
	})
	s.Args = append(s.Args, "--pid-file", pidFile, "--on-elected", "USR1", "--on-lost", "USR2")
}

// leaderBehindALine starts one replica that reaches the API server by a line of its own, and waits until it leads.
func leaderBehindALine(t *testing.T, change func(*harness.Sidecar)) (*harness.Election, *harness.Sidecar, *harness.Proxy) {
	t.Helper()
	e := harness.NewElection(t, harness.Shared(t), 12*time.Second)
	e.ShipFree(t)
	line := e.Cluster.Proxy(t)
	s := e.Prepare(t, "web-0")
	s.Kubeconfig = e.Access.Kubeconfig(t, line.Host())
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
		told, token := s.ToldByHTTP()
		return told && greater(token, before)
	})
}
