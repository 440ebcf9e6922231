package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// MembersFixture is a store of members for one case: empty of the Leases that the case will use.
type MembersFixture struct {
	// Election is the Lease whose members the case makes; Election + "-other" must have none either.
	Election string
	// Open returns a new connection to the members of that election. It shares only the medium with others.
	Open func(t *testing.T, election string) lease.Members
	// Admin acts on the Leases past the store.
	Admin Admin
	// History says that a watch delivers every single change. A store without one may skip to the newest state.
	History bool
	// Page is how many members a list of the store brings in one answer; 0 where it brings all.
	Page int
}

// RunMembers tests a store of members by every case of the suite. newFixture is called once a case.
func RunMembers(t *testing.T, newFixture func(t *testing.T) MembersFixture) {
	t.Helper()
	for _, c := range memberCases {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			t.Cleanup(cancel)
			c.run(&circle{MembersFixture: f, t: t, ctx: ctx, members: f.Open(t, f.Election)})
		})
	}
}

var memberCases = []struct {
	name string
	run  func(*circle)
}{
	{"create/stores the member", memberStored},
	{"create/exists", memberExists},
	{"get/absent", memberAbsent},
	{"update/stale version", memberStale},
	{"update/right version of another object", memberOfAnotherUID},
	{"update/deleted", memberDeleted},
	{"update/foreign metadata is kept", memberForeignMetadata},
	{"delete/as read", memberDelete},
	{"delete/one that came back", memberDeleteRenewed},
	{"list/by label", membersListed},
	{"list/many", membersMany},
	{"version/one order for all", membersOrdered},
	{"watch/changes, newest last", membersWatched},
	{"watch/a label taken away", membersUnlabelled},
	{"watch/another election's", membersOfAnother},
	{"watch/ends with its context", membersWatchEnds},
}

// circle is one case's view of its fixture.
type circle struct {
	MembersFixture
	t       *testing.T
	ctx     context.Context //nolint:containedctx // the test's own
	members lease.Members
}

// member returns a member that is not stored yet.
func (c *circle) member(pod string) lease.Member {
	c.t.Helper()
	name, err := naming.MemberLeaseName(naming.LeaseName(c.Election), pod)
	if err != nil {
		c.t.Fatal(err)
	}
	return lease.Member{
		Name: string(name), Holder: pod + "_1", DurationSeconds: 40, AcquireTime: instant, RenewTime: instant,
		Labels:      map[string]string{naming.LabelMemberOf: c.Election, naming.LabelPod: pod},
		Annotations: map[string]string{naming.AnnotationJoined: "7"},
	}
}

func (c *circle) must(m lease.Member, err error) lease.Member {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
	return m
}

func (c *circle) create(pod string) lease.Member {
	c.t.Helper()
	return c.must(c.members.Create(c.ctx, c.member(pod)))
}

func (c *circle) renew(m lease.Member) lease.Member {
	c.t.Helper()
	m.RenewTime = m.RenewTime.Add(10 * time.Second)
	return c.must(c.members.Update(c.ctx, m))
}

func (c *circle) list() (names []string, version lease.Version) {
	c.t.Helper()
	version, err := c.members.List(c.ctx, func(m lease.Member) { names = append(names, m.Name) })
	if err != nil {
		c.t.Fatal(err)
	}
	slices.Sort(names)
	return names, version
}

func (c *circle) wantError(err, want error) {
	c.t.Helper()
	if !errors.Is(err, want) {
		c.t.Fatalf("error %v, want %v", err, want)
	}
}

// content is what a writer chooses of a member.
func content(m lease.Member) lease.Member {
	return lease.Member{
		Name: m.Name, Holder: m.Holder, DurationSeconds: m.DurationSeconds, AcquireTime: m.AcquireTime, RenewTime: m.RenewTime,
		Transitions: m.Transitions, Labels: m.Labels, Annotations: m.Annotations,
	}
}

func (c *circle) wantContent(got, want lease.Member) {
	c.t.Helper()
	if diff := cmp.Diff(content(want), content(got), sameMember); diff != "" {
		c.t.Errorf("member (-want +got):\n%s", diff)
	}
}

var sameMember = cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".object" }, cmp.Ignore())

func memberStored(c *circle) {
	want := c.member("web-0")
	made := c.must(c.members.Create(c.ctx, want))
	if made.UID == "" || made.Version == "" {
		c.t.Errorf("created with UID %q, version %q", made.UID, made.Version)
	}
	c.wantContent(made, want)
	got := c.must(c.members.Get(c.ctx, want.Name))
	c.wantContent(got, want)
	if got.UID != made.UID || got.Version != made.Version {
		c.t.Errorf("read back as %s of %s, created as %s of %s", got.Version, got.UID, made.Version, made.UID)
	}
	if o := c.Admin.Read(c.t, want.Name); o.Labels[naming.LabelElection] != "" {
		c.t.Errorf("a member has the label of elections: %v", o.Labels)
	}
	left := c.renew(got)
	left.Holder = ""
	if left = c.must(c.members.Update(c.ctx, left)); left.Holder != "" || left.UID != made.UID {
		c.t.Errorf("left as %q of %s, want no holder and the same object", left.Holder, left.UID)
	}
}

func memberExists(c *circle) {
	first := c.create("web-0")
	_, err := c.members.Create(c.ctx, c.member("web-0"))
	c.wantError(err, lease.ErrExists)
	if got := c.must(c.members.Get(c.ctx, first.Name)); got.Version != first.Version {
		c.t.Errorf("the second create changed the Lease: %+v", got)
	}
}

func memberAbsent(c *circle) {
	_, err := c.members.Get(c.ctx, c.member("web-0").Name)
	c.wantError(err, lease.ErrNotFound)
	if names, _ := c.list(); len(names) > 0 {
		c.t.Errorf("listed %v, want none", names)
	}
}

func memberStale(c *circle) {
	first := c.create("web-0")
	c.renew(first)
	_, err := c.Open(c.t, c.Election).Update(c.ctx, first)
	c.wantError(err, lease.ErrConflict)
}

func memberOfAnotherUID(c *circle) {
	m := c.create("web-0")
	m.UID = "b0c8e9d2-6f0e-4a77-8c5f-000000000001"
	_, err := c.members.Update(c.ctx, m)
	c.wantError(err, lease.ErrConflict)
	c.wantError(c.members.Delete(c.ctx, m), lease.ErrConflict)
}

func memberDeleted(c *circle) {
	m := c.create("web-0")
	c.Admin.Delete(c.t, m.Name)
	if _, err := c.members.Update(c.ctx, m); !errors.Is(err, lease.ErrNotFound) && !errors.Is(err, lease.ErrConflict) {
		c.t.Errorf("update of a deleted one: %v", err)
	}
	again := c.create("web-0")
	if again.UID == m.UID || again.Version.Compare(m.Version) <= 0 {
		c.t.Errorf("created again as %s of %s, after %s of %s", again.Version, again.UID, m.Version, m.UID)
	}
	_, err := c.members.Update(c.ctx, m)
	c.wantError(err, lease.ErrConflict)
}

func memberForeignMetadata(c *circle) {
	m := c.create("web-0")
	c.Admin.Edit(c.t, m.Name, func(o *coordinationv1.Lease) { o.Labels["team"] = "shop" })
	m = c.must(c.members.Get(c.ctx, m.Name))
	c.renew(m)
	if got := c.Admin.Read(c.t, m.Name).Labels["team"]; got != "shop" {
		c.t.Errorf("the label of somebody else is %q, want it kept", got)
	}
}

func memberDelete(c *circle) {
	m := c.create("web-0")
	if err := c.members.Delete(c.ctx, m.Slim()); err != nil {
		c.t.Fatal(err)
	}
	_, err := c.members.Get(c.ctx, m.Name)
	c.wantError(err, lease.ErrNotFound)
	c.wantError(c.members.Delete(c.ctx, m), lease.ErrNotFound)
}

func memberDeleteRenewed(c *circle) {
	m := c.create("web-0")
	c.renew(m)
	c.wantError(c.members.Delete(c.ctx, m), lease.ErrConflict)
	c.must(c.members.Get(c.ctx, m.Name))
}

func membersListed(c *circle) {
	a, b := c.create("web-0"), c.create("web-1")
	other := &circle{MembersFixture: c.MembersFixture, t: c.t, ctx: c.ctx, members: c.Open(c.t, c.Election+"-other")}
	other.Election += "-other"
	foreign := other.create("web-0")
	c.Admin.Edit(c.t, b.Name, func(o *coordinationv1.Lease) { delete(o.Labels, naming.LabelMemberOf) })
	if names, _ := c.list(); !slices.Equal(names, []string{a.Name}) {
		c.t.Errorf("listed %v, want %s: the other has lost its label", names, a.Name)
	}
	if names, _ := other.list(); !slices.Equal(names, []string{foreign.Name}) {
		c.t.Errorf("listed %v of the other election, want %s", names, foreign.Name)
	}
}

// membersMany lists more members than a page has.
func membersMany(c *circle) {
	var want []string
	for i := range max(c.Page, 50) + 10 {
		want = append(want, c.create(fmt.Sprintf("web-%d", i)).Name)
	}
	slices.Sort(want)
	if names, _ := c.list(); !slices.Equal(names, want) {
		c.t.Errorf("listed %d members, want %d", len(names), len(want))
	}
}

func membersOrdered(c *circle) {
	a := c.create("web-0")
	b := c.create("web-1")
	again := c.renew(a)
	_, listed := c.list()
	if !slices.IsSortedFunc([]lease.Version{a.Version, b.Version, again.Version}, lease.Version.Compare) || listed.Compare(again.Version) < 0 {
		c.t.Errorf("versions %s, %s, %s and %s of the list, want them to rise", a.Version, b.Version, again.Version, listed)
	}
}
