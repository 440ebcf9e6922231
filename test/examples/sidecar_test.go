//go:build linux

package examples

import (
	"bufio"
	"cmp"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
)

// leaseDuration is the shortest that there is; a term of it runs out 2 s after its last renewal.
const leaseDuration = 3 * time.Second

// killMargin is the time after validUntil by which a workload must have stopped, at that lease duration.
const killMargin = 600 * time.Millisecond

// replica is a sidecar and, once started, the worker that it speaks to.
type replica struct {
	t       *testing.T
	name    string
	store   string // the directory of the Lease
	dir     string // the signal directory
	url     string
	sidecar *process
	worker  *process
	mark    string // what its worker names as token; "" for the term's

	mu  sync.Mutex
	log []string
}

// startReplicas runs n sidecars that campaign for one Lease in a directory store, with a worker each.
func startReplicas(t *testing.T, n int, l language, w way, script *transcript, flags ...string) []*replica {
	t.Helper()
	store := filepath.Join(t.TempDir(), "store")
	var all []*replica
	for i := range n {
		r := newReplica(t, i, store)
		r.startSidecar(script, flags...)
		all = append(all, r)
	}
	for _, r := range all {
		r.worker = startWorker(t, l, w, script, r.dir, r.url)
	}
	return all
}

func newReplica(t *testing.T, number int, store string) *replica {
	return &replica{t: t, name: "replica-" + string(rune('a'+number)), store: store, dir: t.TempDir()}
}

// startSidecar runs the sidecar until the test ends; what it runs itself writes to the transcript.
func (r *replica) startSidecar(script *transcript, flags ...string) {
	r.t.Helper()
	command := exec.Command(filepath.Join(built, "lease-sidecar"), append([]string{
		"run", "--store", "dir:" + r.store, "--identity", r.name, "--workload", "deployment/example",
		"--lease-duration", leaseDuration.String(), "--stop-timeout", "15s", "--signal-dir", r.dir, "--http-address", "127.0.0.1:0", "--probe-address", "off",
	}, flags...)...)
	command.Stdout = script.input
	output, input, err := os.Pipe()
	if err != nil {
		r.t.Fatal(err)
	}
	command.Stderr = input
	r.sidecar = start(r.t, command)
	input.Close() // the sidecar has its own
	var reading sync.WaitGroup
	reading.Go(func() {
		for lines := bufio.NewScanner(output); lines.Scan(); {
			r.mu.Lock()
			r.log = append(r.log, lines.Text())
			r.mu.Unlock()
		}
	})
	r.t.Cleanup(func() {
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL) // as the sidecar's own cleanup, which comes later
		reading.Wait()                                          // its guard ends too, and what that runs
		output.Close()
	})
	entry := r.awaitLog("listening")
	var listening struct{ Addresses []string }
	if err := json.Unmarshal([]byte(entry), &listening); err != nil || len(listening.Addresses) == 0 {
		r.t.Fatalf("read the sidecar's address from %s: %v", entry, err)
	}
	r.url = "http://" + listening.Addresses[0]
}

// awaitLog returns the sidecar's first log line that has that text.
func (r *replica) awaitLog(text string) (found string) {
	r.t.Helper()
	eventually(r.t, "the sidecar logs "+text, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, l := range r.log {
			if strings.Contains(l, text) {
				found = l
				return true
			}
		}
		return false
	})
	return found
}

// state returns what the signal directory says now.
func (r *replica) state() leadership.Leadership {
	l, _ := leadership.Read(r.dir) // what cannot be read says "not leading"
	return l
}

// token returns what the replica's worker calls the term.
func (r *replica) token(state leadership.Leadership) string { return cmp.Or(r.mark, state.Token) }

// stepDown asks the sidecar to hand over.
func (r *replica) stepDown() {
	r.t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	answer, err := client.Post(r.url+"/step-down", "", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusAccepted {
		r.t.Fatalf("POST /step-down: got %s", answer.Status)
	}
}

// awaitLeader waits until one of the replicas leads and its worker is at work, and returns it with its state first.
func awaitLeader(t *testing.T, script *transcript, replicas ...*replica) (leader *replica, state leadership.Leadership) {
	t.Helper()
	eventually(t, "a replica leads", func() bool {
		for _, r := range replicas {
			if s := r.state(); s.IsLeader {
				leader, state = r, s
				return true
			}
		}
		return false
	})
	wantWork(t, script, 0, leader.token(state))
	return leader, state
}

// other returns the one of two replicas that r is not.
func other(r *replica, two []*replica) *replica {
	if two[0] == r {
		return two[1]
	}
	return two[0]
}

func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if so() {
			return
		}
	}
	t.Fatalf("not within %s: %s", patience, what)
}
