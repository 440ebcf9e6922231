//go:build linux

package fencing

import (
	"cmp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// lateWrite is one writer of the old leader, and what becomes of its write.
type lateWrite struct {
	name     string
	resource func(*testing.T, string, guard) resource
	removed  guard
	// unclaimed says that the new leader reads the resource without a claim.
	unclaimed bool
	// blocks says that the frozen writer keeps the new leader's claim waiting.
	blocks bool
	// lands says that the late write gets in: a control.
	lands bool
}

// lateWrites are the resources of the page, and each again without its guard, where the late write must land, or a test of the guard
// could not fail.
func (s *servers) lateWrites() []lateWrite {
	var (
		noRow     = guard{code: " AND token <= $1"}
		noLockRow = guard{code: " AND token <= term"}
		noTimeout = guard{code: "SET LOCAL idle_in_transaction_session_timeout = '5s';\n"}
		noHash    = guard{code: "#token < #seen or (#token == #seen and token < seen)", removed: "false"}
		noRead    = guard{code: `lower "$token" "${seen:-0}"`, removed: "false"}
		noPut     = guard{code: ` --header "$condition"`}
		noService = guard{code: "int(token) < int(seen)", removed: "False"}
	)
	return []lateWrite{
		{name: "row", resource: s.row},
		{name: "row_unguarded", resource: s.row, removed: noRow, lands: true},
		{name: "row_unclaimed", resource: s.row, unclaimed: true, lands: true},
		{name: "lock_row", resource: s.lockRow},
		{name: "lock_row_unguarded", resource: s.lockRow, removed: noLockRow, lands: true},
		{name: "open_transaction", resource: s.openTransaction},
		{name: "open_transaction_without_timeout", resource: s.openTransaction, removed: noTimeout, blocks: true, lands: true},
		{name: "hash", resource: s.hash},
		{name: "hash_unguarded", resource: s.hash, removed: noHash, lands: true},
		{name: "object", resource: s.object},
		{name: "object_unguarded", resource: s.object, removed: noRead, lands: true},
		{name: "read_object", resource: s.readObject},
		{name: "read_object_unguarded", resource: s.readObject, removed: noPut, lands: true},
		{name: "service", resource: s.service},
		{name: "service_unguarded", resource: s.service, removed: noService, lands: true},
		{name: "half_request", resource: s.halfRequest},
		{name: "half_request_unguarded", resource: s.halfRequest, removed: noService, lands: true},
	}
}

// leaseDuration is short, as its end is waited for, and long enough for a busy machine.
const leaseDuration = "5s"

// TestLateWrites freezes a leader: its sidecar and its writers, which have seen that it leads, some before their write, others in the
// middle of it. The other replica's term begins when the Lease has run out. It claims every resource; then the old ones go on. Their
// writes must not be there, and those of the new leader must.
func TestLateWrites(t *testing.T) {
	t.Parallel()
	s := start(t, (*servers).startPostgres, (*servers).startRedis, (*servers).startS3)
	replicas := make([]*harness.Local, 2)
	for i, name := range []string{"a", "b"} {
		replicas[i] = harness.NewLocal(t, s.root, name, "--lease-duration", leaseDuration)
		replicas[i].Start()
	}
	old, before := awaitLeader(t, replicas...)

	late := s.lateWrites()
	resources, writers := make([]resource, len(late)), make([]*writer, len(late))
	for i, l := range late {
		resources[i] = l.resource(t, l.name, l.removed)
		resources[i].mustRun(t, resources[i].write, before.Token, "first")
		writers[i] = resources[i].startLate(t, old)
	}
	for _, w := range writers {
		w.awaitBegun()
		w.signal(syscall.SIGSTOP)
	}
	if err := old.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	_, after := awaitLeader(t, slices.DeleteFunc(replicas, func(r *harness.Local) bool { return r == old })...)
	t.Logf("the tokens: %s, then %s", before.Token, after.Token)
	for i, l := range late {
		switch {
		case l.blocks:
			if out, accepted := resources[i].run(t, resources[i].claim, after.Token, ""); accepted || !strings.Contains(out, "lock timeout") {
				t.Errorf("%s: a claim beside a frozen transaction is accepted: %t; want that it waits\n%s", l.name, accepted, out)
			}
		case !l.unclaimed:
			resources[i].mustRun(t, resources[i].claim, after.Token, "")
		}
		if got := resources[i].value(t); got != "first" {
			t.Fatalf("%s: the new leader reads %q, want what the old one wrote", l.name, got)
		}
	}
	for _, w := range writers {
		w.goOn()
		w.signal(syscall.SIGCONT)
	}
	if err := old.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for i, l := range late {
		t.Run(l.name, func(t *testing.T) {
			if l.lands {
				resources[i].wantLanded(t, writers[i])
			} else {
				resources[i].wantRefused(t, writers[i], before.Token, after.Token)
			}
		})
	}
}

// awaitLeader waits until one of the replicas leads.
func awaitLeader(t *testing.T, replicas ...*harness.Local) (leader *harness.Local, state leadership.Leadership) {
	t.Helper()
	harness.Eventually(t, patience, "a replica leads", func() bool {
		for _, r := range replicas {
			if leader, state = r, r.Leadership(); state.IsLeader {
				return true
			}
		}
		return false
	})
	return leader, state
}

// wantLanded has the late write be there.
func (r resource) wantLanded(t *testing.T, w *writer) {
	t.Helper()
	out, accepted := w.ended()
	if got := r.value(t); !accepted || got != "late" {
		t.Errorf("without a guard the late write is accepted: %t, and %q is there; want true, and \"late\"\n%s", accepted, got, out)
	}
}

// wantRefused has the late write not be there, nor one that the old leader tries again; the new leader's is.
func (r resource) wantRefused(t *testing.T, w *writer, old, token string) {
	t.Helper()
	out, accepted := w.ended()
	if got := r.value(t); accepted || got != "first" {
		t.Errorf("the late write is accepted: %t, and %q is there; want false, and \"first\"\n%s", accepted, got, out)
	}
	sees := cmp.Or(r.lateSees, r.sees)
	if mustShow(t, sees); !strings.Contains(out, sees) {
		t.Errorf("the late writer sees %q, want %q", out, sees)
	}
	if out, accepted = r.run(t, r.write, old, "again"); accepted || !strings.Contains(out, r.sees) {
		t.Errorf("tried again, it is accepted: %t; want false, and %q\n%s", accepted, r.sees, out)
	}
	r.mustRun(t, r.write, token, "second")
	if got := r.value(t); got != "second" {
		t.Errorf("%q is there; want what the new leader wrote", got)
	}
}
