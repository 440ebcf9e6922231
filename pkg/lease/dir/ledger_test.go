//go:build linux

package dir

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
)

// object writes a Lease as "uid@version holder".
func object(t *testing.T, s string) *coordinationv1.Lease {
	t.Helper()
	if s == "" {
		return nil
	}
	id, holder, _ := strings.Cut(s, " ")
	uid, version, _ := strings.Cut(id, "@")
	o := &coordinationv1.Lease{}
	o.UID, o.ResourceVersion, o.Spec.HolderIdentity = types.UID(uid), version, &holder
	return o
}

func text(o *coordinationv1.Lease, known ...string) string {
	if o == nil {
		return ""
	}
	uid := "new"
	for _, k := range known {
		if k == string(o.UID) {
			uid = k
		}
	}
	return strings.TrimSpace(uid + "@" + o.ResourceVersion + " " + *o.Spec.HolderIdentity)
}

func TestAccountFor(t *testing.T) {
	type state struct{ Version, Present, Deleted string }
	for _, c := range []struct {
		name  string
		known state
		file  string
		want  state
	}{
		{"nothing yet", state{}, "", state{}},
		{"as it was", state{"5", "u@5 a", ""}, "u@5 a", state{"5", "u@5 a", ""}},
		{"still absent", state{"5", "", "u@5 a"}, "", state{"5", "", "u@5 a"}},

		{"edited", state{"5", "u@5 a", ""}, "u@5 b", state{"6", "u@6 b", ""}},
		{"edited, version lowered", state{"5", "u@5 a", ""}, "u@2 b", state{"6", "u@6 b", ""}},
		{"edited, version removed", state{"5", "u@5 a", ""}, "u@ b", state{"6", "u@6 b", ""}},
		{"edited, version garbled", state{"5", "u@5 a", ""}, "u@x7 b", state{"6", "u@6 b", ""}},
		{"edited, UID removed", state{"5", "u@5 a", ""}, "@5 b", state{"6", "u@6 b", ""}},
		{"an old state put back", state{"5", "u@5 a", "t@3 a"}, "u@4 b", state{"6", "u@6 b", "t@3 a"}},

		{"removed", state{"5", "u@5 a", ""}, "", state{"6", "", "u@6 a"}},
		{"removed again", state{"5", "v@5 a", "u@3 b"}, "", state{"6", "", "v@6 a"}},
		{"replaced", state{"5", "u@5 a", ""}, "v@9 b", state{"7", "v@7 b", "u@6 a"}},
		{"replaced by an older one", state{"5", "u@5 a", ""}, "v@1 b", state{"7", "v@7 b", "u@6 a"}},

		{"made by hand", state{}, "@ a", state{"1", "new@1 a", ""}},
		{"made by hand after a deletion", state{"5", "", "u@5 a"}, "@ b", state{"6", "new@6 b", "u@5 a"}},
		{"the deleted one put back", state{"5", "", "u@5 a"}, "u@4 a", state{"6", "new@6 a", "u@5 a"}},
		{"the deleted one put back, version raised", state{"5", "", "u@5 a"}, "u@9 a", state{"6", "new@6 a", "u@5 a"}},
		{"another one put back", state{"5", "", "u@5 a"}, "t@2 a", state{"6", "t@6 a", "u@5 a"}},

		{"died after an update's first write", state{"5", "u@5 a", ""}, "u@6 b", state{"6", "u@6 b", ""}},
		{"died after a create's first write", state{"5", "", "u@5 a"}, "v@6 ", state{"6", "v@6", "u@5 a"}},
		{"ledger lost", state{}, "u@48 a", state{"48", "u@48 a", ""}},
		{"ledger put back", state{"5", "u@5 a", ""}, "u@48 b", state{"48", "u@48 b", ""}},
		{"past 64 bits", state{"18446744073709551615", "u@18446744073709551615 a", ""}, "u@1 b", state{"18446744073709551616", "u@18446744073709551616 b", ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			known := ledger{lease.Version(c.known.Version), object(t, c.known.Present), object(t, c.known.Deleted)}
			got := known.accountFor(object(t, c.file))
			if diff := cmp.Diff(c.want, state{
				string(got.Version), text(got.Present, "u", "v", "t"), text(got.Deleted, "u", "v", "t"),
			}); diff != "" {
				t.Errorf("ledger (-want +got):\n%s", diff)
			}
			if got.Version != "" {
				if err := got.check(); err != nil {
					t.Errorf("an inconsistent ledger: %v", err)
				}
			}
			if again := got.accountFor(got.Present); again.Version != got.Version {
				t.Errorf("accounted for twice: version %s, then %s", got.Version, again.Version)
			}
		})
	}
}

func TestSince(t *testing.T) {
	for _, c := range []struct {
		name             string
		present, deleted string
		from             lease.Version
		want             []string
	}{
		{"nothing", "", "", "", nil},
		{"present, from none", "u@5 a", "", "", []string{"u@5 a"}},
		{"present, from none, an old deletion", "u@5 a", "t@3 b", "", []string{"u@5 a"}},
		{"absent, from none", "", "t@3 b", "", nil},
		{"new", "u@5 a", "", "4", []string{"u@5 a"}},
		{"known", "u@5 a", "", "5", nil},
		{"from the future", "u@5 a", "t@3 b", "9", nil},
		{"new, an old deletion", "u@5 a", "t@3 b", "4", []string{"u@5 a"}},
		{"recreated", "u@5 a", "t@3 b", "2", []string{"deleted t@3 b", "u@5 a"}},
		{"deleted", "", "t@3 b", "2", []string{"deleted t@3 b"}},
		{"ten is past nine", "u@10 a", "", "9", []string{"u@10 a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			events, err := ledger{"5", object(t, c.present), object(t, c.deleted)}.since(c.from)
			if err != nil {
				t.Fatalf("since: %v", err)
			}
			var got []string
			for _, e := range events {
				s := e.Record.UID + "@" + string(e.Record.Version) + " " + e.Record.Holder
				if e.Deleted {
					s = "deleted " + s
				}
				got = append(got, s)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	for text, want := range map[string]bool{
		`{"resourceVersion":"5"}`: true,
		`{"resourceVersion":"5","present":{"metadata":{"uid":"u","resourceVersion":"5"},"spec":{}}}`:  true,
		`{"resourceVersion":"5","present":{"metadata":{"uid":"u","resourceVersion":"6"},"spec":{}}}`:  false,
		`{"resourceVersion":"5","present":{"metadata":{"resourceVersion":"5"},"spec":{}}}`:            false,
		`{"resourceVersion":"5","deleted":{"metadata":{"uid":"u","resourceVersion":"60"},"spec":{}}}`: false,
		`{"resourceVersion":"05"}`: false,
		`{}`:                       false,
	} {
		l := ledger{}
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if err := l.check(); (err == nil) != want {
			t.Errorf("%s: error %v, want it accepted: %v", text, err, want)
		}
	}
}
