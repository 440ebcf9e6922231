package status

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// sentences explains the one election of a picture.
func sentences(t *testing.T, p []Picture, now Moment, local bool) string {
	t.Helper()
	r := Judge(p, now)
	for _, e := range r.Elections {
		if e.Object.Name == leaseName {
			return strings.Join(r.explain(e, local), "\n") + "\n"
		}
	}
	t.Fatal("no election")
	return ""
}

// TestExplainLeader is the whole text about a leader with members.
func TestExplainLeader(t *testing.T) {
	const want = `Lease shop/acme-752b7817f6: the election of deployment/web.
web-0 leads, on node node-0, of revision 5d9c7f6b8 (identity web-0_0b1fa0c1-5a6f-4a3c-9a53-3f7a8f1f9d11).
Its term has lasted ~60s. It is the Lease's transition 3.
It renewed the Lease ~2s ago, for 15s: unless it renews again, its term ends before the Lease expires, in ~13s.
The fencing token of the term is at most 100.
Members: 2 live of 3: web-0 (leader, node node-0, revision 5d9c7f6b8), web-1 (unhealthy, node node-1, revision 5d9c7f6b8), web-2 (~expired, node node-2, revision 5d9c7f6b8).
A time with ~ is an estimate: it compares the writer's clock with this machine's. Set --measure 10s to see the Lease renewed first.
To hand over: kubectl exec -n shop web-0 -c lease-sidecar -- /lease-sidecar step-down
To hand over to a member: kubectl annotate lease -n shop acme-752b7817f6 --overwrite lease-sidecar.dev/preferred-holder=POD
`
	got := sentences(t, listed(leaseOf(), memberOf("web-0"), memberOf("web-2", renewed(time.Minute)), memberOf("web-1", func(o *coordinationv1.Lease) {
		o.Labels[naming.LabelHealth] = "unhealthy"
	})), at(0), false)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestExplain: what must be said of each kind of trouble, and what must not.
func TestExplain(t *testing.T) {
	for name, tc := range map[string]struct {
		leases []coordinationv1.Lease
		local  bool
		want   []string
		never  []string
	}{
		"released": {
			leases: []coordinationv1.Lease{leaseOf(released)},
			want:   []string{"Nobody leads. The last holder released the Lease ~2s ago, and a candidate takes it at once."}, never: []string{"To hand over"},
		},
		"released to a successor": {
			leases: []coordinationv1.Lease{leaseOf(released, annotated(naming.AnnotationSuccessor, lease.SuccessorMark("web-2_u", noon.Add(-2*time.Second))))},
			want:   []string{"a candidate takes it at once. The release names web-2_u as the first to take it."},
		},
		"a request that was answered": {
			leases: []coordinationv1.Lease{leaseOf(annotated(naming.AnnotationPreferredHolderAnswer, "web-9: no\x1b"))},
			want:   []string{`The last request for a handover to a certain pod was answered: web-9: no\x1b.`},
		},
		"shipped": {
			leases: []coordinationv1.Lease{leaseOf(func(o *coordinationv1.Lease) { o.Spec = coordinationv1.LeaseSpec{} }, marked(""))},
			want:   []string{"Nobody leads. The Lease has no holder, and no mark of a release", "no write for its --lease-duration (15s by default)"},
		},
		"expired": {
			leases: []coordinationv1.Lease{leaseOf(renewed(40*time.Second), marked(holder+" 20"), lasting(20))},
			want: []string{
				"Nobody leads, as far as clocks show. web-0 held the Lease and has not renewed it for ~40s: it expired ~20s ago.",
				"no write for the longer of 20s and its own --lease-duration", "none reaches the Lease",
			},
			never: []string{"--foreign-grace"},
		},
		"expired foreign": {
			leases: []coordinationv1.Lease{leaseOf(renewed(40*time.Second), held("node-1"))},
			want:   []string{"node-1 held the Lease", "and --foreign-grace (18s by default)"},
		},
		"cleared": {
			leases: []coordinationv1.Lease{leaseOf(held(""))},
			want:   []string{`The holder was cleared by hand: the mark names "` + holder + `"`, "the longer of 15s and its own"},
		},
		"duration edited": {
			leases: []coordinationv1.Lease{leaseOf(lasting(3600))},
			want:   []string{"spec.leaseDurationSeconds says 1h0m0s, and the holder wrote 15s", "for 15s: unless"},
		},
		"edited after a release": {
			leases: []coordinationv1.Lease{leaseOf(released, renewed(time.Second))},
			want:   []string{"The Lease was edited after its release"},
		},
		"asked by annotation, of nobody": {
			leases: []coordinationv1.Lease{leaseOf(annotated(naming.AnnotationPreferredHolder, "web-9")), memberOf("web-0")},
			want:   []string{`Somebody asks for a handover to "web-9". No live member has that name`},
		},
		"asked by annotation, of a member": {
			leases: []coordinationv1.Lease{leaseOf(annotated(naming.AnnotationPreferredHolder, "web-1")), memberOf("web-1")},
			want:   []string{`Somebody asks for a handover to "web-1".`}, never: []string{"No live member"},
		},
		"asked by spec": {
			leases: []coordinationv1.Lease{leaseOf(func(o *coordinationv1.Lease) { o.Spec.PreferredHolder = new("x") })},
			want:   []string{`spec.preferredHolder asks for a handover to "x".`}, never: []string{"No live member"},
		},
		"asked by spec, of no member": {
			leases: []coordinationv1.Lease{leaseOf(func(o *coordinationv1.Lease) { o.Spec.PreferredHolder = new("x") }), memberOf("web-0")},
			want:   []string{`spec.preferredHolder asks for a handover to "x".`}, never: []string{"not honoured"},
		},
		"strategy": {
			leases: []coordinationv1.Lease{leaseOf(func(o *coordinationv1.Lease) { o.Spec.Strategy = new(coordinationv1.OldestEmulationVersion) })},
			want:   []string{`spec.strategy is "OldestEmulationVersion"`},
		},
		"foreign": {
			leases: []coordinationv1.Lease{leaseOf(held("node-1"))},
			want:   []string{"node-1 leads", "The holder does not follow the protocol", "client-go's elector takes no request"}, never: []string{"kubectl exec", "fencing token"},
		},
		"client-go's": {
			leases: []coordinationv1.Lease{leaseOf(clientGo)},
			want:   []string{"an election by client-go's elector, not by lease-sidecar", "node-1 leads (identity node-1_7d3f"}, never: []string{"kubectl exec", "fencing token"},
		},
		"misnamed": {
			leases: []coordinationv1.Lease{leaseOf(annotated(naming.AnnotationWorkload, "deployment/api"))},
			want:   []string{"Collision: the name of the Lease is not that of deployment/api"},
		},
		"collision": {
			leases: []coordinationv1.Lease{leaseOf(), leaseOf(named("shop-752b7817f6"))},
			want:   []string{"Collision: Lease shop/shop-752b7817f6 elects for deployment/web, too, and is held"},
		},
		"duplicate": {
			leases: []coordinationv1.Lease{leaseOf(renewed(time.Hour)), leaseOf(named("shop-752b7817f6"))},
			want:   []string{"Duplicate: Lease shop/shop-752b7817f6 elects for deployment/web and is held."},
		},
		"in a directory": {
			leases: []coordinationv1.Lease{leaseOf()}, local: true,
			want: []string{"lease-sidecar step-down --http-address"}, never: []string{"kubectl"},
		},
		"a leader whose name is a command": {
			leases: []coordinationv1.Lease{leaseOf(held("$(reboot)\x1b[2J"), marked("$(reboot)\x1b[2J 15"))},
			want:   []string{`$(reboot)\x1b[2J leads`}, never: []string{"kubectl exec", "\x1b"},
		},
		"no times": {
			leases: []coordinationv1.Lease{leaseOf(func(o *coordinationv1.Lease) { o.Spec.RenewTime = nil })},
			want:   []string{"When it renewed the Lease is unknown"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := sentences(t, listed(tc.leases...), at(0), tc.local)
			for _, want := range tc.want {
				if !strings.Contains(got, want) {
					t.Errorf("no %q in\n%s", want, got)
				}
			}
			for _, never := range tc.never {
				if strings.Contains(got, never) {
					t.Errorf("%q in\n%s", never, got)
				}
			}
		})
	}
}

// TestExplainMeasured: once a renewal was watched nothing is an estimate but the term's age, and a clock that is off is reported.
func TestExplainMeasured(t *testing.T) {
	p := listed(leaseOf())
	next := leaseOf(version("101"), renewed(-time.Minute))
	p[0].Apply(kube.Change{Lease: &next}, at(3*time.Second))
	got := sentences(t, p, at(5*time.Second), false)
	for _, want := range []string{"It renewed the Lease 2s ago", "expires, in 13s.", "The clock of the last writer is about 57s ahead of this machine's."} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "estimate") {
		t.Errorf("an estimate in\n%s", got)
	}
}
