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

// pair is two replicas of one election with a worker each.
type pair struct {
	t            *testing.T
	script       *transcript
	leader, heir *replica              // the one that led first, and the other
	term         leadership.Leadership // of the leader, as it began
}

// startPair has begin start the sidecar and the worker of two replicas, and waits until one of them works.
func startPair(t *testing.T, begin func(*testing.T, *transcript, *replica)) *pair {
	t.Helper()
	p := &pair{t: t, script: newTranscript(t)}
	root := harness.LocalRoot(t)
	var both [2]*replica
	for i, name := range []string{"replica-a", "replica-b"} {
		r := &replica{store: filepath.Join(root, "store")}
		r.Local = harness.NewLocal(t, root, name, "--lease-duration", leaseDuration.String(), "--stop-timeout", "15s")
		r.TCP = true
		begin(t, p.script, r)
		both[i] = r
	}
	eventually(t, "a replica leads", func() bool {
		p.leader, p.heir = both[0], both[1]
		if !p.leader.Leadership().IsLeader {
			p.leader, p.heir = both[1], both[0]
		}
		return p.leader.Leadership().IsLeader
	})
	p.term = p.awaitWork(p.leader)
	return p
}

// startWorkers is startPair with the workers of a language.
func startWorkers(t *testing.T, l language, w way) *pair {
	t.Helper()
	return startPair(t, func(t *testing.T, script *transcript, r *replica) {
		r.startSidecar(script)
		r.worker = startWorker(t, l, w, script, r.SignalDir(), r.URL())
	})
}

// startSidecar runs the sidecar until the test ends; what it runs itself writes to the transcript.
func (r *replica) startSidecar(script *transcript, flags ...string) {
	r.Stdout, r.Flags = script.input, append(r.Flags, flags...)
	r.Start()
}

// token returns what the replica's worker calls the term.
func (r *replica) token(state leadership.Leadership) string { return cmp.Or(r.mark, state.Token) }

// awaitWork waits until the replica leads and its worker is at work, and returns its state as it began to lead.
func (p *pair) awaitWork(r *replica) (state leadership.Leadership) {
	p.t.Helper()
	eventually(p.t, r.Name+" leads", func() bool {
		state = r.Leadership()
		return state.IsLeader
	})
	wantWork(p.t, p.script, 0, r.token(state))
	return state
}

// wantPieces waits until the heir's worker has begun so many more pieces of work.
func (p *pair) wantPieces(count int) {
	p.t.Helper()
	from, token := p.script.len(), p.heir.token(p.heir.Leadership())
	for range count {
		from = wantWork(p.t, p.script, from, token)
	}
}

func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	harness.Eventually(t, patience, what, so)
}
