//go:build linux

package integration

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestKilled is fault 2: what leads is killed, in part or as a whole. Where the sidecar dies nobody takes the Lease before
// it has expired; where the app alone dies the sidecar hands over at once.
func TestKilled(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		kill   func(t *testing.T, p *pod)
		handed bool // the Lease is released
	}{
		{name: "sidecar", kill: func(t *testing.T, p *pod) { strike(t, syscall.SIGKILL, p.PID()) }},
		{name: "app", kill: func(t *testing.T, p *pod) { strike(t, syscall.SIGKILL, p.app(t)) }, handed: true},
		{name: "pod", kill: func(t *testing.T, p *pod) { strike(t, syscall.SIGKILL, p.node.PIDs()...) }},
		{name: "node", kill: func(_ *testing.T, p *pod) { p.node.Kill() }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := harness.NewElection(t, harness.Shared(t), 5*time.Second)
			e.Ship(t)
			to := newGuarded(t)
			pods := startPods(t, e, to, stubborn)
			struck, _ := awaitPod(t, e.Duration+slack, to, pods...)
			heir, app := heirOf(pods, struck), struck.app(t)

			awaitRenewal(t, struck.Sidecar) // the whole of the Lease lies ahead
			killed, last := now(), struck.State()
			tc.kill(t, struck)
			if tc.handed {
				harness.AwaitLeader(t, e.Duration+slack, heir.Sidecar)
				took := sent(e, heir.Sidecar)
				t.Logf("handed over %v after the app's death", took.Sub(killed))
				if expiry := last.ValidUntil.Add(e.Duration - e.RenewDeadline()); !took.Before(expiry) {
					t.Errorf("the heir took the Lease %v after it had expired, want it handed over", took.Sub(expiry))
				}
			} else {
				<-struck.Exited()
				checkCrash(t, e, struck.Sidecar, heir.Sidecar)
			}
			if harness.Runs(app) {
				t.Error("the app runs although another replica leads")
			}
			awaitPod(t, slack, to, heir)
		})
	}
}

// An app writes to the guarded resource for as long as it lives, whatever it is answered. A stubborn one ignores SIGTERM.
const (
	obedient = ``
	stubborn = `trap '' TERM; `
)

// pod is a replica in child mode, as it is on a node: the sidecar, its guard, the app and all that the app starts are in one
// control group.
type pod struct {
	*harness.Sidecar
	node    *harness.Cgroup
	appFile string // where the app writes down its pid
}

// startPods starts and watches two pods whose apps write to the resource. Accepted work is judged with what they publish.
func startPods(t *testing.T, e *harness.Election, to *guarded, manner string) []*pod {
	t.Helper()
	var pods []*pod
	for i := range 2 {
		p := &pod{node: harness.NewCgroup(t), appFile: filepath.Join(t.TempDir(), "pid")}
		p.Sidecar = e.Prepare(t, fmt.Sprintf("web-%d", i))
		p.Binary = p.node.Launcher(p.Binary)
		work := fmt.Sprintf(`echo $$ >'%s'; while read up _ </proc/uptime; do
			curl -s -m 60 -X POST "%s/%s?token=$LEADERSHIP_TOKEN&up=$up"; sleep 0.2; done`, p.appFile, to.url, p.Pod)
		p.Args = append(p.Args, "--", "sh", "-c", manner+work)
		p.Start(t, e)
		pods = append(pods, p)
	}
	witness := watch(t, sidecarsOf(pods)...)
	t.Cleanup(func() { to.addTerms(witness) }) // before the verdict
	return pods
}

func sidecarsOf(pods []*pod) []*harness.Sidecar {
	var all []*harness.Sidecar
	for _, p := range pods {
		all = append(all, p.Sidecar)
	}
	return all
}

// awaitPod waits until one of the pods publishes that it leads and its app has had a write accepted. It returns the token.
func awaitPod(t *testing.T, bound time.Duration, to *guarded, pods ...*pod) (*pod, string) {
	t.Helper()
	leader := harness.AwaitLeader(t, bound, sidecarsOf(pods)...)
	token := leader.State().Token
	to.awaitWork(t, token)
	for _, p := range pods {
		if p.Sidecar == leader {
			return p, token
		}
	}
	panic("unreachable: the leader is one of the pods")
}

// heirOf returns the other one of two pods.
func heirOf(pods []*pod, leader *pod) *pod {
	if pods[0] == leader {
		return pods[1]
	}
	return pods[0]
}

// app returns the app's pid.
func (p *pod) app(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile(p.appFile)
	if err != nil {
		t.Fatalf("read the app's pid: %v", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatalf("read the app's pid: %v", err)
	}
	return pid
}

// strike sends a signal to processes, those that are gone left out.
func strike(t *testing.T, sig syscall.Signal, pids ...int) {
	t.Helper()
	for _, pid := range pids {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Fatalf("send %v to %d: %v", sig, pid, err)
		}
	}
}

// guarded is a resource that apps write to over HTTP, each write with the fencing token of the app's term. It keeps the
// highest token that it has seen and refuses all lower ones.
type guarded struct {
	url string

	mu      sync.Mutex
	highest string
	terms   []harness.Term           // of accepted writes, by the instants at which the app turned to them
	writes  map[string]int           // accepted ones, by replica
	refused map[string]int           // by token
	waiting map[string]int           // writes that lie on the way, by replica
	held    map[string]chan struct{} // closed when a replica's writes are let through
}

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	g := &guarded{writes: map[string]int{}, refused: map[string]int{}, waiting: map[string]int{}, held: map[string]chan struct{}{}}
	server := httptest.NewServer(g)
	g.url = server.URL
	t.Cleanup(func() {
		g.mu.Lock()
		for _, held := range g.held {
			close(held)
		}
		clear(g.held)
		g.mu.Unlock()
		server.Close()
	})
	return g
}

// upTick is the step of /proc/uptime, by which apps say when they turn to a write.
const upTick = 10 * time.Millisecond

// ServeHTTP takes POST /REPLICA?token=TOKEN&up=SECONDS: 200 when it is accepted, 409 when not. SECONDS are those of the
// boot clock, as in /proc/uptime: a write arrives later than that, maybe after the app's death.
func (g *guarded) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	replica, token := strings.TrimPrefix(r.URL.Path, "/"), r.URL.Query().Get("token")
	up, err := time.ParseDuration(r.URL.Query().Get("up") + "s")
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	g.delay(replica)
	if !g.accept(replica, token, bootclock.Instant(up)) {
		w.WriteHeader(http.StatusConflict)
	}
}

// delay keeps a write on the way, whatever becomes of its sender, until the replica's writes are let through.
func (g *guarded) delay(replica string) {
	g.mu.Lock()
	held, ok := g.held[replica]
	if ok {
		g.waiting[replica]++
	}
	g.mu.Unlock()
	if ok {
		<-held
	}
}

func (g *guarded) accept(replica, token string, up bootclock.Instant) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.highest != "" && greater(g.highest, token) {
		g.refused[token]++
		return false
	}
	g.highest = token
	g.writes[replica]++
	if last := len(g.terms) - 1; last >= 0 && g.terms[last].Token == token && g.terms[last].Replica == replica {
		g.terms[last].To = up
	} else {
		g.terms = append(g.terms, harness.Term{Replica: replica, Channel: "work", Token: token, From: up.Add(upTick), To: up})
	}
	return true
}

// hold keeps the replica's writes on the way from here on, and waits until one is there.
func (g *guarded) hold(t *testing.T, replica string) {
	t.Helper()
	g.mu.Lock()
	g.held[replica] = make(chan struct{})
	g.mu.Unlock()
	harness.Eventually(t, slack, "a write is on its way", func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.waiting[replica] > 0
	})
}

// release lets the replica's writes arrive.
func (g *guarded) release(replica string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.held[replica])
	delete(g.held, replica)
}

// awaitWork waits until a write with the token was accepted.
func (g *guarded) awaitWork(t *testing.T, token string) {
	t.Helper()
	harness.Eventually(t, slack, "a write with token "+token+" is accepted", func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.highest == token
	})
}

// awaitRefusal waits until a write with the token was refused.
func (g *guarded) awaitRefusal(t *testing.T, token string) {
	t.Helper()
	harness.Eventually(t, slack, "a write with token "+token+" is refused", func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.refused[token] > 0
	})
}

// work returns how many writes of the replica were accepted.
func (g *guarded) work(replica string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.writes[replica]
}

// addTerms makes the accepted work part of what the witness judges.
func (g *guarded) addTerms(w *harness.Witness) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, term := range g.terms {
		if term.From.Before(term.To) {
			w.AddTerm(term)
		}
	}
}
