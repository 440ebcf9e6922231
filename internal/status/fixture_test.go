package status

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	leaseName = "acme-752b7817f6"
	holder    = "web-0_0b1fa0c1-5a6f-4a3c-9a53-3f7a8f1f9d11"
)

// noon is when the tests look. Their boot clock reads an hour then.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// at is the moment that much after noon, or before it.
func at(after time.Duration) Moment {
	return Moment{Boot: bootclock.Instant(time.Hour + after), Wall: noon.Add(after)}
}

// change edits a Lease.
type change func(*coordinationv1.Lease)

// leaseOf returns an election's Lease as a leader of ours wrote it 2 s before noon, a minute into its term, with the changes.
func leaseOf(changes ...change) coordinationv1.Lease {
	o := coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: leaseName, UID: "u", ResourceVersion: "100",
		Labels: map[string]string{naming.LabelElection: "true"},
		Annotations: map[string]string{
			naming.AnnotationWorkload: "deployment/web", naming.AnnotationFencedBy: lease.HeldMark(holder, 15*time.Second),
		},
	}}
	o.Spec = coordinationv1.LeaseSpec{
		HolderIdentity: new(holder), LeaseDurationSeconds: new(int32(15)), LeaseTransitions: new(int32(3)),
		AcquireTime: micro(noon.Add(-time.Minute)), RenewTime: micro(noon.Add(-2 * time.Second)),
	}
	for _, change := range changes {
		change(&o)
	}
	return o
}

func micro(t time.Time) *metav1.MicroTime { return &metav1.MicroTime{Time: t} }

func named(name string) change { return func(o *coordinationv1.Lease) { o.Name = name } }

func renewed(before time.Duration) change {
	return func(o *coordinationv1.Lease) { o.Spec.RenewTime = micro(noon.Add(-before)) }
}

func held(by string) change { return func(o *coordinationv1.Lease) { o.Spec.HolderIdentity = &by } }

func marked(mark string) change { return annotated(naming.AnnotationFencedBy, mark) }

func annotated(key, value string) change {
	return func(o *coordinationv1.Lease) { o.Annotations[key] = value }
}

func lasting(seconds int32) change {
	return func(o *coordinationv1.Lease) { o.Spec.LeaseDurationSeconds = &seconds }
}

func version(v string) change { return func(o *coordinationv1.Lease) { o.ResourceVersion = v } }

// released makes it as its holder leaves it after a release.
func released(o *coordinationv1.Lease) {
	held("")(o)
	lasting(1)(o)
	marked(lease.ReleasedMark(o.Spec.RenewTime.Time))(o)
}

// clientGo makes it one of client-go's.
func clientGo(o *coordinationv1.Lease) {
	o.Labels, o.Annotations = nil, nil
	held("node-1_7d3f0a52-3a69-4b0e-a1ce-8ddbb1bba2cd")(o)
}

// memberOf returns the identity Lease of a member, renewed 5 s before noon.
func memberOf(pod string, changes ...change) coordinationv1.Lease {
	name, _ := naming.MemberLeaseName(leaseName, pod)
	o := coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: string(name), UID: "m", ResourceVersion: "90",
		Labels: map[string]string{
			naming.LabelMemberOf: leaseName, naming.LabelPod: pod, naming.LabelNode: "node-" + pod[len(pod)-1:],
			naming.LabelRevision: "5d9c7f6b8", naming.LabelHealth: "healthy", naming.LabelPriority: "10", naming.LabelVersion: "v1.2.3",
		},
	}}
	o.Spec = coordinationv1.LeaseSpec{
		HolderIdentity: new(pod + "_0b1fa0c1-5a6f-4a3c-9a53-3f7a8f1f9d11"), LeaseDurationSeconds: new(int32(40)), RenewTime: micro(noon.Add(-5 * time.Second)),
	}
	for _, change := range changes {
		change(&o)
	}
	return o
}

// heartbeat is a kubelet's, renewed 7 s before noon.
func heartbeat(node string, changes ...change) coordinationv1.Lease {
	o := coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: NodeNamespace, Name: node, UID: "n", ResourceVersion: "80"}}
	o.Spec = coordinationv1.LeaseSpec{HolderIdentity: &node, LeaseDurationSeconds: new(int32(40)), RenewTime: micro(noon.Add(-7 * time.Second))}
	for _, change := range changes {
		change(&o)
	}
	return o
}

// server is an API server's identity Lease.
func server(changes ...change) coordinationv1.Lease {
	o := heartbeat("apiserver-lp3zq7", changes...)
	o.Namespace = APIServerNamespace
	o.Labels = map[string]string{LabelAPIServer: "kube-apiserver", naming.LabelNode: "control-plane"}
	o.Spec.LeaseDurationSeconds = new(int32(3600))
	return o
}

// listed returns the picture of one list, taken at noon.
func listed(leases ...coordinationv1.Lease) []Picture {
	p := Picture{}
	p.Replace(leases, at(0))
	return []Picture{p}
}

// tableOf returns what a table shows of a report.
func tableOf(t *testing.T, r Report, show Show) string {
	t.Helper()
	var b strings.Builder
	if err := newTables(show).print(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// decoded reads JSON.
func decoded[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return v
}
