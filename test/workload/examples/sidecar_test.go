//go:build linux

package examples

import (
	"cmp"
	"path/filepath"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// leaseDuration is the shortest that there is; a term of it runs out 2 s after its last renewal.
const leaseDuration = 3 * time.Second

// killMargin is the time after validUntil by which a workload must have stopped, at that lease duration.
const killMargin = 600 * time.Millisecond

// replica is a sidecar and, once started, the worker that it speaks to.
type replica struct {
	*harness.Local
	store  string // the directory of the Lease
	worker *process
	mark   string // what its worker names as token; "" for the term's
}

// startReplicas runs n sidecars that campaign for one Lease in a directory store, with a worker each.
func startReplicas(t *testing.T, n int, l language, w way, script *transcript) []*replica {
	t.Helper()
	root := harness.LocalRoot(t)
	var all []*replica
	for i := range n {
		r := newReplica(t, i, root)
		r.startSidecar(script)
		all = append(all, r)
	}
	for _, r := range all {
		r.worker = startWorker(t, l, w, script, r.SignalDir(), r.URL())
	}
	return all
}

func newReplica(t *testing.T, number int, root string) *replica {
	t.Helper()
	r := &replica{store: filepath.Join(root, "store")}
	r.Local = harness.NewLocal(t, root, "replica-"+string(rune('a'+number)), "--lease-duration", leaseDuration.String(), "--stop-timeout", "15s")
	r.TCP = true
	return r
}

// startSidecar runs the sidecar until the test ends; what it runs itself writes to the transcript.
func (r *replica) startSidecar(script *transcript, flags ...string) {
	r.Stdout, r.Flags = script.input, append(r.Flags, flags...)
	r.Start()
}

// token returns what the replica's worker calls the term.
func (r *replica) token(state leadership.Leadership) string { return cmp.Or(r.mark, state.Token) }

// awaitLeader waits until one of the replicas leads and its worker is at work, and returns it with its state first.
func awaitLeader(t *testing.T, script *transcript, replicas ...*replica) (leader *replica, state leadership.Leadership) {
	t.Helper()
	eventually(t, "a replica leads", func() bool {
		for _, r := range replicas {
			if s := r.Leadership(); s.IsLeader {
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
	harness.Eventually(t, patience, what, so)
}
