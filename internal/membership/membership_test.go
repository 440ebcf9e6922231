package membership

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock/clocktest"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/memory"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// TestMembersAreSeen has five replicas see one another, one of them killed and one of them late.
func TestMembersAreSeen(t *testing.T) {
	bubble(t, func(f *fleet) {
		var all []*replica
		for i := range 5 {
			all = append(all, f.start(fmt.Sprintf("web-%d", i), 1))
		}
		wait(11 * time.Second)
		for _, r := range all {
			f.wantPods(r, "web-0", "web-1", "web-2", "web-3", "web-4")
		}
		all[4].kill()
		wait(41 * time.Second)
		f.wantPods(all[0], "web-0", "web-1", "web-2", "web-3")
		if got := all[0].Roster().Counts(); got != (Counts{Live: 4, Expired: 1}) {
			t.Errorf("counts %+v", got)
		}
		if _, why, _ := all[0].Roster().find("web-4"); why != "that member's Lease has expired" {
			t.Errorf("why web-4 cannot lead: %q", why)
		}
		late := f.start("web-5", 1)
		wait(time.Microsecond)    // nobody renews just then
		f.wantPods(late, "web-5") // the others may be dead, as far as it can tell
		if got := late.Roster().Counts(); got.Unproven != 5 {
			t.Errorf("counts of a replica that has just begun: %+v, want 5 unproven", got)
		}
		wait(11 * time.Second)
		f.wantPods(late, "web-0", "web-1", "web-2", "web-3", "web-5")
		wait(40 * time.Second)
		if got := late.Roster().Counts(); got != (Counts{Live: 5, Expired: 1}) {
			t.Errorf("counts %+v, want the dead one expired: it was never seen alive", got)
		}
	})
}

// TestChoiceIsHandedOverOnce has the choice follow the members, and not every renewal.
func TestChoiceIsHandedOverOnce(t *testing.T) {
	bubble(t, func(f *fleet) {
		a := f.start("web-0", 1)
		b := f.start("web-1", 1)
		c := f.start("web-2", 1)
		wait(time.Hour)
		given := func() []Choice { a.mu.Lock(); defer a.mu.Unlock(); return slices.Clone(a.choices) }
		if got := given(); len(got) == 0 || len(got) > 3 || got[len(got)-1].Successor != b.identity && got[len(got)-1].Successor != c.identity {
			t.Fatalf("given %v in an hour without a change", got)
		}
		first := given()[len(given())-1].Successor
		chosen, other := b, c
		if first == c.identity {
			chosen, other = c, b
		}
		chosen.SetHealthy(false)
		wait(2 * time.Second)
		if got := given(); got[len(got)-1].Successor != other.identity {
			t.Errorf("given %v, want the healthy one, %s", got, other.identity)
		}
		newer := f.start("web-3", 1, revision("b"))
		wait(2 * time.Second)
		if got := given(); got[len(got)-1] != (Choice{Successor: newer.identity, StandBack: true}) {
			t.Errorf("given %v, want %s of the newest revision, and to stand back", got, newer.identity)
		}
		newer.kill()
		wait(42 * time.Second)
		if got := given(); got[len(got)-1] != (Choice{Successor: other.identity}) {
			t.Errorf("given %v, want %s again", got, other.identity)
		}
	})
}

// TestSeek: who a pod is is answered at once, or as soon as its member, which a new replica only knows from before, was seen alive
// or has expired. The newest question alone is answered.
func TestSeek(t *testing.T) {
	bubble(t, func(f *fleet) {
		live, dead := f.start("web-0", 1), f.start("web-1", 1)
		wait(5 * time.Second)
		dead.kill()
		late := f.start("web-2", 1)
		wait(time.Microsecond)
		want := func(want ...string) {
			t.Helper()
			late.mu.Lock()
			defer late.mu.Unlock()
			if diff := cmp.Diff(want, late.found); diff != "" {
				t.Errorf("answered (-want +got):\n%s", diff)
			}
			late.found = nil
		}
		late.Seek("web-9")
		want(`web-9: no member is known of pod "web-9"`)
		late.Seek("web-1")
		late.Seek("web-0")
		want()
		wait(11 * time.Second)
		want("web-0: " + live.identity)
		late.Seek("web-0")
		want("web-0: " + live.identity)
		late.Seek("web-1")
		want()
		wait(40 * time.Second)
		want("web-1: that member's Lease has expired")
		live.SetHealthy(false)
		wait(time.Second)
		late.Seek("web-0")
		want("web-0: that member is unhealthy")
	})
}

// TestDocumentsArePublished publishes each change once, and the document in each interval.
func TestDocumentsArePublished(t *testing.T) {
	bubble(t, func(f *fleet) {
		a := f.start("web-0", 1)
		wait(15 * time.Second)
		a.lead(true)
		wait(time.Second)
		d := a.Document()
		if d.Leader != "web-0" || len(d.Members) != 1 || !d.Members[0].Leader || !d.Members[0].Self || !d.Watching || d.NewestRevision != "a" {
			t.Errorf("document %s", d.JSON())
		}
		a.mu.Lock()
		n := len(a.documents)
		a.mu.Unlock()
		wait(10 * time.Minute)
		a.mu.Lock()
		defer a.mu.Unlock()
		if n = len(a.documents) - n; n < 55 || n > 65 {
			t.Errorf("published %d documents in 10 minutes without a change, want 60", n)
		}
	})
}

// TestWatchIsRenewed loses the watch in every way: nobody counts as dead for it.
func TestWatchIsRenewed(t *testing.T) {
	for name, lose := range map[string]func(f *fleet, c *memory.Members){
		"closed":    func(_ *fleet, c *memory.Members) { c.BreakWatches(nil) },
		"broken":    func(_ *fleet, c *memory.Members) { c.BreakWatches(errors.New("reset")) },
		"half open": func(_ *fleet, c *memory.Members) { c.HalfOpen() },
		"compacted": func(f *fleet, c *memory.Members) { f.backend.Compact(); c.BreakWatches(nil) },
		"restored":  func(f *fleet, _ *memory.Members) { f.backend.Backup()() },
		"all at once": func(f *fleet, c *memory.Members) {
			c.BreakWatches(nil)
			f.backend.Compact()
			c.HalfOpen()
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(f *fleet) {
				a := f.start("web-0", 1)
				f.start("web-1", 1)
				wait(15 * time.Second)
				for range 5 {
					lose(f, a.conn)
					for range 60 {
						wait(time.Second)
						f.wantPods(a, "web-0", "web-1")
					}
				}
				if lists := a.sent()["list"]; lists > 6 {
					t.Errorf("listed %d times for 5 losses", lists)
				}
			})
		})
	}
}

// TestStoreRestored puts the store back to an hour ago: the members are known again soon.
func TestStoreRestored(t *testing.T) {
	bubble(t, func(f *fleet) {
		a := f.start("web-0", 1)
		wait(15 * time.Second)
		restore := f.backend.Backup()
		f.start("web-1", 1)
		wait(time.Hour)
		f.wantPods(a, "web-0", "web-1")
		restore()
		wait(2 * time.Minute)
		f.wantPods(a, "web-0", "web-1")
	})
}

// stray puts a Lease with the label past the store.
func (f *fleet) stray(name string, change func(*lease.Member)) {
	f.t.Helper()
	m := lease.Member{Name: name, Labels: map[string]string{naming.LabelMemberOf: election}, Annotations: map[string]string{}}
	change(&m)
	if _, err := f.backend.Members(namespace, election).Create(f.ctx, m); err != nil {
		f.t.Fatal(err)
	}
}

// TestStrangersAreLeftOut has no Lease count that is no member's, and no such Lease be swept.
func TestStrangersAreLeftOut(t *testing.T) {
	bubble(t, func(f *fleet) {
		other, _ := naming.MemberLeaseName(election, "web-7")
		for name, change := range map[string]func(*lease.Member){
			"kube-scheduler": func(m *lease.Member) { m.Holder = "master-0_1" },
			string(other):    func(m *lease.Member) { m.Holder, m.Labels[naming.LabelPod] = "web-8_1", "web-8" },
			"empty":          func(*lease.Member) {},
			"forged":         func(m *lease.Member) { m.Labels[naming.LabelPod] = "web-0" },
			election:         func(m *lease.Member) { m.Labels[naming.LabelElection] = "true"; m.Holder = "web-0_1" },
		} {
			f.stray(name, change)
		}
		a := f.start("web-0", 1, func(c *Config) { c.Sweep = true })
		a.lead(true)
		wait(5 * time.Hour)
		if got := a.Roster().Counts(); got != (Counts{Live: 1}) {
			t.Errorf("counts %+v, want this replica alone", got)
		}
		if sent := a.sent(); sent["sweep"] != 0 {
			t.Errorf("swept %d times", sent["sweep"])
		}
	})
}

// TestHostileMembers has members lie in every field: each harms nobody but itself.
func TestHostileMembers(t *testing.T) {
	bubble(t, func(f *fleet) {
		a := f.start("web-0", 1)
		good := f.start("web-1", 1)
		wait(15 * time.Second)
		far := time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
		for i, change := range []func(*lease.Member){
			func(m *lease.Member) { m.Holder += strings.Repeat("x", 1<<20) },
			func(m *lease.Member) { m.DurationSeconds = 1<<31 - 1 },
			func(m *lease.Member) { m.DurationSeconds = -1 << 31 },
			func(m *lease.Member) { m.AcquireTime, m.RenewTime = far, far },
			func(m *lease.Member) { m.Annotations[naming.AnnotationJoined] = strings.Repeat("9", 1000) },
			func(m *lease.Member) { m.Annotations[naming.AnnotationJoined] = "-1" },
			func(m *lease.Member) { m.Labels[naming.LabelPriority] = "999999999999999999999" },
			func(m *lease.Member) { m.Labels[naming.LabelHealth] = "splendid" },
		} {
			pod := fmt.Sprintf("bad-%d", i)
			name, _ := naming.MemberLeaseName(election, pod)
			f.stray(string(name), func(m *lease.Member) {
				m.Holder = pod + "_" + uuid(pod, 1)
				m.Labels[naming.LabelPod], m.Labels[naming.LabelRevision], m.Labels[naming.LabelHealth] = pod, "zz", "healthy"
				m.Labels[naming.LabelPriority] = "0"
				change(m)
			})
		}
		wait(time.Second)
		if got := a.chosen(); got != (Choice{Successor: good.identity}) {
			t.Errorf("choice %+v, want the good one, %s", got, good.identity)
		}
		wait(40 * time.Second) // all of them are gone by then: none was seen to renew
		f.wantPods(a, "web-0", "web-1")
	})
}

// TestBoundOnMemory keeps so many members and no more, and makes room from those that are gone.
func TestBoundOnMemory(t *testing.T) {
	bubble(t, func(f *fleet) {
		for i := range 30 {
			pod := fmt.Sprintf("old-%d", i)
			name, _ := naming.MemberLeaseName(election, pod)
			f.stray(string(name), func(m *lease.Member) { m.Holder, m.DurationSeconds = pod+"_"+uuid(pod, 1), 40 })
		}
		a := f.start("web-0", 1, func(c *Config) { c.Most = 20 })
		wait(15 * time.Second)
		if got := a.Roster().Counts(); got.Unproven+got.Live < 20 || got.Unproven+got.Live > 21 || got.NotKept == 0 {
			t.Errorf("counts %+v, want 20 kept, and that some are not", got)
		}
		wait(30 * time.Second) // the old ones have expired
		for i := range 15 {
			f.start(fmt.Sprintf("web-%d", 10+i), 1)
		}
		wait(15 * time.Second)
		if got := a.Roster().Counts(); got.Live < 15 {
			t.Errorf("counts %+v, want the live ones kept in place of the dead", got)
		}
	})
}

// FuzzHostileLease feeds a roster with any Lease: it neither panics, nor keeps much, nor lists what did not renew.
func FuzzHostileLease(f *testing.F) {
	name, _ := naming.MemberLeaseName(election, "web-9")
	f.Add(string(name), "web-9_1", int32(40), "healthy", "10", "5", "web-9", int64(0), "8")
	f.Add("x", "", int32(-1), "", "", "", "", int64(1)<<62, "")
	f.Add(string(name), strings.Repeat("y", 5000), int32(1<<30), "leaving", "-3", strings.Repeat("9", 400), "web-9", int64(-1)<<62, "99999999999999999999")
	f.Add("", "web-9_00000000-0000-4000-8000-000000000001", int32(1<<30), "healthy", "11", "7", "", int64(1), "8")
	f.Fuzz(func(t *testing.T, lease9, holder string, seconds int32, health, priority, joined, pod string, nanos int64, version string) {
		if lease9 == "" { // the name that follows from the holder
			own, _ := naming.MemberLeaseName(election, naming.Identity(holder).Name())
			lease9 = string(own)
		}
		o := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{
			Name: lease9, Namespace: namespace, UID: "u", ResourceVersion: version,
			Labels: map[string]string{
				naming.LabelMemberOf: election, naming.LabelPod: pod, naming.LabelHealth: health, naming.LabelPriority: priority,
				naming.LabelRevision: holder, naming.LabelNode: holder, naming.LabelVersion: holder,
			},
			Annotations: map[string]string{naming.AnnotationJoined: joined},
		}}
		at := metav1.NewMicroTime(time.Unix(0, nanos))
		o.Spec = coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, RenewTime: &at, AcquireTime: &at}
		m, err := lease.MemberFromObject(o)
		if err != nil {
			return
		}
		clock := clocktest.NewHand()
		a, err := New(config("web-0"), Deps{Clock: clock, Identity: func() string { return "web-0_" + uuid("web-0", 1) }}, Outputs{})
		if err != nil {
			t.Fatal(err)
		}
		own := own{cfg: a.cfg, identity: a.deps.Identity(), health: Healthy}.onto(lease.Member{Name: a.cfg.leaseName(), UID: "own", Version: "1"}, clock.Wall())
		a.roster.confirm(own)
		list := a.roster.list()
		list.add(own)
		list.add(m)
		list.done("1")
		a.roster.apply(lease.MemberEvent{Member: m})
		a.choose()
		for _, one := range a.Document().Members {
			if n := len(one.Pod) + len(one.Identity) + len(one.Node) + len(one.Revision) + len(one.Version); n > 5*(longestText+3) {
				t.Errorf("%d bytes are kept of a member", n)
			}
			if one.Priority < 0 || one.Priority > 10 {
				t.Errorf("priority %d", one.Priority)
			}
		}
		if d := a.Document(); !json.Valid(d.JSON()) || strings.HasPrefix(string(d.JSON()), `{"error"`) {
			t.Errorf("the document cannot be printed: %s", d.JSON())
		}
		if identity, _, _ := a.Roster().find(pod); identity != "" && len(identity) > longestText+3 {
			t.Errorf("found %d bytes of identity", len(identity))
		}
		clock.Advance(41 * time.Second)
		if got := a.Roster().Counts(); got.Live != 0 || got.Unproven != 0 {
			t.Errorf("counts %+v 41 s after the last event, want nobody alive", got)
		}
	})
}

// TestMemoryOfAMember measures what a member costs in memory, with names as long as those of a Deployment's pods.
func TestMemoryOfAMember(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	roster := newRoster(config("web-0"), clocktest.NewHand())
	before := heap()
	for i := range maxMembers {
		pod := fmt.Sprintf("a-web-server-5d9f7b6c84-%05d", i)
		name, _ := naming.MemberLeaseName(election, pod)
		labels := own{cfg: config(pod), identity: pod + "_" + uuid(pod, i), health: Healthy}
		m := labels.onto(lease.Member{Name: string(name), Annotations: map[string]string{"foreign": strings.Repeat("x", 10_000)}}, time.Now())
		m.UID, m.Version = fmt.Sprintf("b0c8e9d2-6f0e-4a77-8c5f-%012d", i), lease.Version(fmt.Sprint(100_000+i))
		roster.apply(lease.MemberEvent{Member: m})
	}
	each := (heap() - before) / maxMembers
	t.Logf("%d bytes for each of %d members", each, maxMembers)
	if each > 2000 {
		t.Errorf("%d bytes for each member, want 2,000 at most", each)
	}
	runtime.KeepAlive(roster)
}
