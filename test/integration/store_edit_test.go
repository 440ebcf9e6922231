//go:build linux

package integration

import (
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// editDuration leaves a machine that does much else the time for a renewal.
const editDuration = 5 * time.Second

// pair is a leader behind a line that can be cut, and a standby that names it.
type pair struct {
	election *harness.Election
	leader   *harness.Sidecar
	standby  *harness.Sidecar
	line     *harness.Proxy
}

func startPair(t *testing.T, duration time.Duration) *pair {
	t.Helper()
	e := harness.NewElection(t, harness.Shared(t), duration)
	e.Flags = []string{"--foreign-grace", mixedGrace.String(), "--drain-timeout", "1ms"}
	e.Ship(t)
	p := &pair{election: e}
	p.leader, p.line = prepareBehind(t, e, "web-0")
	p.standby = startWithHeir(t, e, p.leader)
	return p
}

// TestEditsUnderACutOffLeader lets somebody edit the Lease of a leader that is cut off from the API server and leads on
// for as long as its last renewal carries (fault 9): whatever the edit says, the standby takes the Lease only so
// long after the edit as any believer in what was written before may believe (I3).
func TestEditsUnderACutOffLeader(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		edit func(l *coordinationv1.Lease, p *pair)
		want time.Duration // from the edit to the take, at least
	}{
		{
			name: "the duration is 1",
			edit: func(l *coordinationv1.Lease, _ *pair) { l.Spec.LeaseDurationSeconds = new(int32(1)) },
			want: editDuration,
		},
		{
			name: "the duration is 3600", // the mark knows better
			edit: func(l *coordinationv1.Lease, _ *pair) { l.Spec.LeaseDurationSeconds = new(int32(3600)) },
			want: editDuration,
		},
		{
			name: "the mark is gone and the duration is 1", // so the holder counts as a foreign one
			edit: func(l *coordinationv1.Lease, _ *pair) {
				delete(l.Annotations, naming.AnnotationFencedBy)
				l.Spec.LeaseDurationSeconds = new(int32(1))
			},
			want: editDuration + mixedGrace,
		},
		{
			name: "the mark names a longer duration",
			edit: func(l *coordinationv1.Lease, _ *pair) {
				l.Annotations[naming.AnnotationFencedBy] = lease.HeldMark(*l.Spec.HolderIdentity, 8*time.Second)
			},
			want: 8 * time.Second,
		},
		{
			name: "the mark says released, of another write",
			edit: func(l *coordinationv1.Lease, _ *pair) {
				l.Spec.HolderIdentity = nil
				l.Annotations[naming.AnnotationFencedBy] = lease.ReleasedMark(l.Spec.RenewTime.Add(-time.Second))
			},
			want: editDuration,
		},
		{
			name: "the holder is somebody else",
			edit: func(l *coordinationv1.Lease, _ *pair) { l.Spec.HolderIdentity = new("somebody") },
			want: editDuration + mixedGrace,
		},
		{
			name: "the holder is the standby", // which never wrote that
			edit: func(l *coordinationv1.Lease, p *pair) { l.Spec.HolderIdentity = new(p.standby.State().Identity) },
			want: editDuration + mixedGrace,
		},
		{
			name: "the holder and the mark are the standby's",
			edit: func(l *coordinationv1.Lease, p *pair) {
				l.Spec.HolderIdentity = new(p.standby.State().Identity)
				l.Annotations[naming.AnnotationFencedBy] = lease.HeldMark(*l.Spec.HolderIdentity, editDuration)
			},
			want: editDuration,
		},
		{
			name: "only a label is new",
			edit: func(l *coordinationv1.Lease, _ *pair) { l.Labels["somebody"] = "was-here" },
			want: editDuration,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := startPair(t, editDuration)
			p.line.Cut()
			acted := now()
			p.election.Edit(t, func(l *coordinationv1.Lease) { tc.edit(l, p) })
			harness.AwaitLeader(t, tc.want+slack, p.standby)
			if waited := sent(p.election, p.standby).Sub(acted); waited < tc.want {
				t.Errorf("the Lease was taken %v after the edit, want at least %v", waited, tc.want)
			}
			p.line.Heal()
		})
	}
}

// TestLongDurationIsNeverForgotten edits a Lease to 3600 s without a mark, and back to 1 s (fault 9): who saw the long
// one waits for it (I9), since a believer in it may have seen no more. New replicas did not see it.
func TestLongDurationIsNeverForgotten(t *testing.T) {
	t.Parallel()
	p := startPair(t, editDuration)
	p.line.Cut()
	set := func(seconds int32) {
		p.election.Edit(t, func(l *coordinationv1.Lease) {
			delete(l.Annotations, naming.AnnotationFencedBy)
			l.Spec.HolderIdentity, l.Spec.LeaseDurationSeconds = new("somebody"), new(seconds)
		})
	}
	set(3600)
	harness.Eventually(t, slack, "the standby waits for the long one", func() bool { return strings.Contains(p.standby.Log(), "somebody") })
	set(1)
	harness.Throughout(t, editDuration+mixedGrace+2*time.Second, "the standby still waits", func() bool {
		leads, _ := p.standby.Leads()
		return !leads && p.standby.Alive()
	})
	fresh := p.election.Start(t, "web-2")
	watch(t, p.leader, p.standby, fresh)
	started := now()
	harness.AwaitLeader(t, editDuration+mixedGrace+slack, fresh)
	if waited := sent(p.election, fresh).Sub(started); waited < editDuration+mixedGrace {
		t.Errorf("a fresh replica took the Lease after %v, want at least %v", waited, editDuration+mixedGrace)
	}
}

// TestEditsUnderALeader lets somebody edit the Lease of a leader that sees it (fault 9): it leads on in the same term and
// puts the Lease right.
func TestEditsUnderALeader(t *testing.T) {
	t.Parallel()
	p := startPair(t, 9*time.Second)
	unmoved := steady(p.leader)
	for _, tc := range []struct {
		name string
		edit func(*coordinationv1.Lease)
	}{
		{"the duration is 1", func(l *coordinationv1.Lease) { l.Spec.LeaseDurationSeconds = new(int32(1)) }},
		{"the duration is 3600", func(l *coordinationv1.Lease) { l.Spec.LeaseDurationSeconds = new(int32(3600)) }},
		{"no mark", func(l *coordinationv1.Lease) { delete(l.Annotations, naming.AnnotationFencedBy) }},
		{"another's mark", func(l *coordinationv1.Lease) { l.Annotations[naming.AnnotationFencedBy] = "somebody 60" }},
		{"no workload", func(l *coordinationv1.Lease) { delete(l.Annotations, naming.AnnotationWorkload) }},
		{"fewer transitions", func(l *coordinationv1.Lease) { l.Spec.LeaseTransitions = new(int32(0)) }},
		{"another acquire time", func(l *coordinationv1.Lease) { l.Spec.AcquireTime.Time = l.Spec.AcquireTime.Add(-time.Hour) }},
		{"an older renew time", func(l *coordinationv1.Lease) { l.Spec.RenewTime.Time = l.Spec.RenewTime.Add(-time.Hour) }},
		{"no label", func(l *coordinationv1.Lease) { l.Labels = nil }},
	} {
		want := p.election.Read(t)
		p.election.Edit(t, tc.edit)
		edited := p.election.Read(t).ResourceVersion
		harness.Eventually(t, slack, "the leader puts the Lease right: "+tc.name, func() bool {
			got := p.election.Read(t)
			return got.ResourceVersion != edited && sameTerm(got, want)
		})
		if !unmoved() {
			t.Fatalf("%s: the leader's term did not go on", tc.name)
		}
	}
}

// sameTerm reports whether two states of a Lease differ by renewals alone.
func sameTerm(a, b *coordinationv1.Lease) bool {
	return *a.Spec.HolderIdentity == *b.Spec.HolderIdentity && *a.Spec.LeaseDurationSeconds == *b.Spec.LeaseDurationSeconds &&
		a.Spec.AcquireTime.Equal(b.Spec.AcquireTime) && *a.Spec.LeaseTransitions == *b.Spec.LeaseTransitions &&
		a.Annotations[naming.AnnotationFencedBy] == b.Annotations[naming.AnnotationFencedBy] &&
		a.Annotations[naming.AnnotationWorkload] == b.Annotations[naming.AnnotationWorkload] &&
		a.Labels[naming.LabelElection] == b.Labels[naming.LabelElection]
}

// TestOldRecordPutBack puts an earlier leader's held record back under its successor (fault 10), unchanged, while that
// earlier leader stands by: it does not lead on the strength of it, and nobody takes the Lease before a lease duration
// has gone by (I3).
func TestOldRecordPutBack(t *testing.T) {
	t.Parallel()
	for _, cut := range []bool{false, true} {
		t.Run(map[bool]string{false: "its leader sees it", true: "its leader is cut off"}[cut], func(t *testing.T) {
			t.Parallel()
			p := startPair(t, editDuration)
			p.leader.Post("/step-down")
			harness.AwaitLeader(t, slack, p.standby)
			old := p.election.Read(t) // the standby's, which leads now
			p.standby.Post("/step-down")
			harness.AwaitLeader(t, slack, p.leader)
			_, before := p.leader.Leads()

			if cut {
				p.line.Cut()
			}
			acted := now()
			p.election.Edit(t, func(l *coordinationv1.Lease) { l.Annotations, l.Spec = old.Annotations, old.Spec })
			next, taken := nextTerm(t, p.election, before, []*harness.Sidecar{p.leader, p.standby})
			if waited := taken.Sub(acted); waited < p.election.Duration {
				t.Errorf("%s took the Lease %v after the old record came back, want at least %v", next.Pod, waited, p.election.Duration)
			}
			p.line.Heal()
		})
	}
}
