package status

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/kube"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// TestJudgeAtFirstSight: what one list shows of one Lease, at noon. Every age is an estimate.
func TestJudgeAtFirstSight(t *testing.T) {
	for name, tc := range map[string]struct {
		changes []change
		want    string // leader, term age, valid, token, last renewal, state
	}{
		"held":                     {nil, "web-0 ~60s ~13s <=100 ~2s ~Held"},
		"never renewed":            {[]change{func(o *coordinationv1.Lease) { o.Spec.AcquireTime = o.Spec.RenewTime }}, "web-0 ~2s ~13s 100 ~2s ~Held"},
		"stale":                    {[]change{renewed(20 * time.Second)}, "<none> <none> <none> <none> ~20s ~Expired"},
		"released":                 {[]change{released}, "<none> <none> <none> <none> ~2s Released"},
		"released, then edited":    {[]change{released, renewed(time.Second)}, "<none> <none> <none> <none> ~1s Unheld,Edited"},
		"shipped":                  {[]change{func(o *coordinationv1.Lease) { o.Spec = coordinationv1.LeaseSpec{} }, marked("")}, "<none> <none> <none> <none> <none> Unheld"},
		"cleared by hand":          {[]change{held("")}, "<none> <none> <none> <none> ~2s Unheld,Edited"},
		"duration edited up":       {[]change{lasting(3600)}, "web-0 ~60s ~13s <=100 ~2s ~Held,Edited"},
		"duration edited down":     {[]change{lasting(1)}, "web-0 ~60s ~13s <=100 ~2s ~Held,Edited"},
		"foreign":                  {[]change{held("other_1"), lasting(60)}, "other_1 ~60s ~58s <none> ~2s ~Held,Foreign"},
		"mark removed":             {[]change{marked("")}, "web-0 ~60s ~13s <none> ~2s ~Held,Foreign"},
		"handover by annotation":   {[]change{annotated(naming.AnnotationPreferredHolder, "web-1")}, "web-0 ~60s ~13s <=100 ~2s ~Held,Handover"},
		"handover by spec":         {[]change{func(o *coordinationv1.Lease) { o.Spec.PreferredHolder = new("web-1") }}, "web-0 ~60s ~13s <=100 ~2s ~Held,Handover"},
		"strategy":                 {[]change{func(o *coordinationv1.Lease) { o.Spec.Strategy = new(coordinationv1.OldestEmulationVersion) }}, "web-0 ~60s ~13s <=100 ~2s ~Held,Edited"},
		"another workload's":       {[]change{annotated(naming.AnnotationWorkload, "deployment/api")}, "web-0 ~60s ~13s <=100 ~2s ~Held,Collision"},
		"a name of its own":        {[]change{named("shop-leader"), annotated(naming.AnnotationWorkload, "deployment/api")}, "web-0 ~60s ~13s <=100 ~2s ~Held"},
		"client-go's":              {[]change{clientGo}, "node-1 ~60s ~13s <none> ~2s ~Held"},
		"client-go's, released":    {[]change{clientGo, held(""), lasting(1)}, "<none> <none> <none> <none> ~2s Released"},
		"clock ahead a little":     {[]change{renewed(-2 * time.Second)}, "web-0 ~62s ~15s <=100 ~0s ~Held"},
		"clock far ahead":          {[]change{renewed(-24 * time.Hour)}, "web-0 <unknown> <unknown> <=100 <unknown> ~Held"},
		"clock far behind":         {[]change{renewed(24 * time.Hour)}, "<none> <none> <none> <none> ~24h ~Expired"},
		"renewed before the take":  {[]change{func(o *coordinationv1.Lease) { o.Spec.AcquireTime = micro(noon) }}, "web-0 <unknown> ~13s <=100 ~2s ~Held"},
		"no times":                 {[]change{func(o *coordinationv1.Lease) { o.Spec.AcquireTime, o.Spec.RenewTime = nil, nil }}, "web-0 <unknown> <unknown> <=100 <none> ~Held"},
		"no duration, no mark":     {[]change{marked(""), func(o *coordinationv1.Lease) { o.Spec.LeaseDurationSeconds = nil }}, "<none> <none> <none> <none> ~2s Expired,Foreign"},
		"a version without order":  {[]change{version("abc")}, "web-0 ~60s ~13s <=1 ~2s ~Held"},
		"a negative duration":      {[]change{marked(""), lasting(math.MinInt32)}, "<none> <none> <none> <none> ~2s Expired,Foreign"},
		"the longest duration":     {[]change{marked(holder + " 2147483647")}, "web-0 ~60s ~68y <=100 ~2s ~Held,Edited"},
		"a holder that is no name": {[]change{held("a\x1b[31m\nb"), marked("x")}, `a\x1b[31m\nb ~60s ~13s <none> ~2s ~Held,Foreign`},
	} {
		t.Run(name, func(t *testing.T) {
			r := Judge(listed(leaseOf(tc.changes...)), at(0))
			if len(r.Elections) != 1 {
				t.Fatalf("%d elections, want 1", len(r.Elections))
			}
			cells := newTable(electionColumns, Show{}).cells(r.Elections[0])
			got := strings.Join([]string{cells[2], cells[3], cells[4], cells[5], cells[8], cells[9]}, " ")
			if got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// TestJudgeByWatching: ages are measured where the write was watched, whatever the clocks of the writers say.
func TestJudgeByWatching(t *testing.T) {
	of := func(r Report) string {
		cells := newTable(electionColumns, Show{}).cells(r.Elections[0])
		return strings.Join([]string{cells[2], cells[3], cells[4], cells[5], cells[8], cells[9]}, " ")
	}
	next := strings.Replace(holder, "web-0", "web-1", 1)
	picture := listed(leaseOf(renewed(-24 * time.Hour)))
	steps := []struct {
		name string
		act  func(p *Picture, now Moment)
		at   time.Duration
		want string
	}{
		{name: "a first look", at: 0, want: "web-0 <unknown> <unknown> <=100 <unknown> ~Held"},
		{name: "a renewal", at: time.Second, want: "web-0 ~24h 15s <=101 0s Held", act: func(p *Picture, now Moment) {
			o := leaseOf(version("101"), renewed(-24*time.Hour-3*time.Second))
			p.Apply(kube.Change{Lease: &o}, now)
		}},
		{name: "time passes", at: 5 * time.Second, want: "web-0 ~24h 11s <=101 4s Held"},
		{name: "the source breaks", at: 6 * time.Second, want: "web-0 ~24h ~10s <=101 ~5s ~Held", act: func(p *Picture, _ Moment) { p.Break() }},
		{name: "expired unseen", at: 17 * time.Second, want: "<none> <none> <none> <none> ~16s ~Expired"},
		{name: "nothing was missed", at: 18 * time.Second, want: "<none> <none> <none> <none> 17s Expired", act: func(p *Picture, now Moment) {
			p.Replace([]coordinationv1.Lease{leaseOf(version("101"), renewed(-24*time.Hour-3*time.Second))}, now)
		}},
		{name: "a take", at: 20 * time.Second, want: "web-1 0s 15s 102 0s Held", act: func(p *Picture, now Moment) {
			o := leaseOf(version("102"), held(next), marked(lease.HeldMark(next, 15*time.Second)), renewed(0))
			o.Spec.AcquireTime = o.Spec.RenewTime
			p.Apply(kube.Change{Lease: &o}, now)
		}},
		{name: "its first renewal", at: 23 * time.Second, want: "web-1 3s 15s 102 0s Held", act: func(p *Picture, now Moment) {
			o := leaseOf(version("103"), held(next), marked(lease.HeldMark(next, 15*time.Second)), renewed(-3*time.Second))
			o.Spec.AcquireTime = micro(noon)
			p.Apply(kube.Change{Lease: &o}, now)
		}},
		{name: "a list with what was missed", at: 30 * time.Second, want: "web-1 ~30s ~15s <=110 ~0s ~Held", act: func(p *Picture, now Moment) {
			o := leaseOf(version("110"), held(next), marked(lease.HeldMark(next, 15*time.Second)), renewed(-30*time.Second))
			o.Spec.AcquireTime = micro(noon)
			p.Replace([]coordinationv1.Lease{o}, now)
		}},
		{name: "watched for all of its validity", at: 46 * time.Second, want: "<none> <none> <none> <none> ~16s Expired"},
	}
	for _, s := range steps {
		now := at(s.at)
		if s.act != nil {
			s.act(&picture[0], now)
		}
		if got := of(Judge(picture, now)); got != s.want {
			t.Errorf("%s:\ngot  %s\nwant %s", s.name, got, s.want)
		}
	}
	o := leaseOf()
	picture[0].Apply(kube.Change{Lease: &o, Deleted: true}, at(time.Minute))
	if r := Judge(picture, at(time.Minute)); len(r.Elections) != 0 {
		t.Errorf("a deleted Lease is shown: %v", r.Elections[0].Object.Name)
	}
}

// TestMembers counts the members of an election, and takes the leader's node and revision from its own.
func TestMembers(t *testing.T) {
	r := Judge(listed(
		leaseOf(), memberOf("web-0"), memberOf("web-1"), memberOf("web-2", renewed(time.Minute)), memberOf("web-3", held("")),
		memberOf("web-4", func(o *coordinationv1.Lease) { o.Namespace = "elsewhere" }),
		memberOf("web-5", func(o *coordinationv1.Lease) { o.Labels[naming.LabelMemberOf] = "another" }),
	), at(0))
	want := `
NAMESPACE   NAME              WORKLOAD         LEADER   TERM AGE   VALID   TOKEN   TRANSITIONS   MEMBERS   LAST RENEWAL   STATE   REVISION    NODE     ELECTOR
shop        acme-752b7817f6   deployment/web   web-0    ~60s       ~13s    <=100   3             2/3       ~2s            ~Held   5d9c7f6b8   node-0   lease-sidecar

NAMESPACE   NAME                                         ELECTION          POD     LEADS   HEALTH    PRIORITY   LAST RENEWAL   STATE      REVISION    NODE     VERSION
`
	got := "\n" + tableOf(t, r, Show{Wide: true, Namespaces: true})
	if head := got[:min(len(got), len(want))]; head != want {
		t.Errorf("got %s\nwant it to begin with %s", got, want)
	}
	var states []string
	for _, m := range r.Members {
		states = append(states, m.Pod()+" "+lifeCell(m))
	}
	wantStates := map[string]bool{"web-0 ~Live": true, "web-1 ~Live": true, "web-2 ~Expired": true, "web-3 Left": true, "web-4 ~Live": true, "web-5 Foreign": true}
	for _, s := range states {
		if !wantStates[s] {
			t.Errorf("a member is %q; want one of %v", s, wantStates)
		}
	}
	if len(states) != len(wantStates) {
		t.Errorf("%d members, want %d", len(states), len(wantStates))
	}
}

// TestForgedMembers: a Lease that says of itself that it is another pod's is no member's, and neither leads nor says where the leader
// runs. One that has the label of elections too stays an election.
func TestForgedMembers(t *testing.T) {
	r := Judge(listed(
		leaseOf(func(o *coordinationv1.Lease) { o.Labels[naming.LabelMemberOf] = leaseName }),
		memberOf("web-0"), memberOf("web-9", held(holder)),
	), at(0))
	if len(r.Elections) != 1 || len(r.Members) != 2 {
		t.Fatalf("%d elections and %d members, want 1 and 2", len(r.Elections), len(r.Members))
	}
	if e := r.Elections[0]; e.Members != (Count{Live: 1}) || e.Node != "node-0" {
		t.Errorf("members %+v, node %q, want those of web-0 alone", e.Members, e.Node)
	}
	for _, m := range r.Members {
		if m.Label(naming.LabelPod) == "web-9" && (m.Leads || m.Life != Stray) {
			t.Errorf("the forged one: leads %v, %s", m.Leads, m.Life)
		}
	}
}

// TestKinds: each Lease of a cluster has its table.
func TestKinds(t *testing.T) {
	r := Judge(listed(
		leaseOf(clientGo, named("kube-scheduler"), func(o *coordinationv1.Lease) { o.Namespace = "kube-system" }),
		heartbeat("node-1"), heartbeat("node-2", renewed(time.Minute)), server(),
		heartbeat("driver", func(o *coordinationv1.Lease) { o.Namespace = "csi" }),
	), at(0))
	const want = `NAME             WORKLOAD   LEADER   TERM AGE   VALID   TOKEN    TRANSITIONS   MEMBERS   LAST RENEWAL   STATE
kube-scheduler   <none>     node-1   ~60s       ~13s    <none>   3             <none>    ~2s            ~Held

NODE     LAST HEARTBEAT   VALID    STATE
node-1   ~7s              ~33s     ~Ready
node-2   ~60s             <none>   ~NotReady

API SERVER         HOST            LAST RENEWAL   VALID   STATE
apiserver-lp3zq7   control-plane   ~7s            ~59m    ~Live

OTHER LEASE   HOLDER   LAST RENEWAL   VALID   STATE
driver        driver   ~7s            ~33s    ~Live
`
	if diff := cmp.Diff(want, tableOf(t, r, Show{})); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
}

// TestCollisions: two Leases that are held elect for one workload; one that nobody holds is only left over.
func TestCollisions(t *testing.T) {
	other := named("shop-752b7817f6")
	elsewhere := func(o *coordinationv1.Lease) { o.Namespace = "elsewhere" }
	for name, tc := range map[string]struct {
		second []change
		want   string // the states of acme-… and shop-…
	}{
		"both held":            {[]change{other}, "~Held,Collision ~Held,Collision"},
		"one left over":        {[]change{other, renewed(time.Hour)}, "~Held ~Expired,Duplicate"},
		"one released":         {[]change{other, released}, "~Held Released,Duplicate"},
		"in another namespace": {[]change{other, elsewhere}, "~Held ~Held"},
		"of another workload":  {[]change{named("shop-x"), annotated(naming.AnnotationWorkload, "deployment/api")}, "~Held ~Held"},
		"of client-go":         {[]change{other, clientGo}, "~Held ~Held"},
	} {
		t.Run(name, func(t *testing.T) {
			r := Judge(listed(leaseOf(), leaseOf(tc.second...)), at(0))
			of := map[string]string{}
			for _, e := range r.Elections {
				of[e.Object.Name[:4]] = stateCell(e)
			}
			if got := of["acme"] + " " + of["shop"]; got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

// TestSelect: a selector leaves out Leases, but members are counted all the same.
func TestSelect(t *testing.T) {
	selector, err := labels.Parse("team=a")
	if err != nil {
		t.Fatal(err)
	}
	of := func(o *coordinationv1.Lease) { o.Labels["team"] = "a" }
	r := Judge(listed(leaseOf(of), leaseOf(named("x")), memberOf("web-0")), at(0)).Select(selector)
	if len(r.Elections) != 1 || r.Elections[0].Object.Name != leaseName || r.Elections[0].Members.Live != 1 || len(r.Members) != 0 {
		t.Errorf("selected %d elections with %+v and %d members", len(r.Elections), r.Elections[0].Members, len(r.Members))
	}
}
