package lease

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	coordinationv1 "k8s.io/api/coordination/v1"
	"pgregory.net/rapid"
)

var renewed = time.Date(2026, 11, 22, 10, 0, 0, 123456000, time.UTC)

// full is a Lease with everything that the record models, and with what it does not.
const full = `{
  "kind": "Lease", "apiVersion": "coordination.k8s.io/v1",
  "metadata": {
    "name": "acme-1", "namespace": "default", "uid": "u1", "resourceVersion": "48213", "generation": 3,
    "creationTimestamp": "2026-11-22T09:00:00Z",
    "labels": {"app": "web", "lease-sidecar.dev/election": "true"},
    "annotations": {"team": "a", "lease-sidecar.dev/workload": "deployment/web", "lease-sidecar.dev/fenced-by": "web_1 15"},
    "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "d1"}],
    "finalizers": ["example.com/keep"],
    "managedFields": [{"manager": "x"}]
  },
  "spec": {
    "holderIdentity": "web_1", "leaseDurationSeconds": 15, "leaseTransitions": 7,
    "acquireTime": "2026-11-22T09:30:00.000001Z", "renewTime": "2026-11-22T10:00:00.123456Z",
    "strategy": "OldestEmulationVersion", "preferredHolder": "web_2"
  }
}`

func object(t *testing.T, text string) *coordinationv1.Lease {
	t.Helper()
	o := &coordinationv1.Lease{}
	if err := json.Unmarshal([]byte(text), o); err != nil {
		t.Fatalf("decode: %v", err)
	}
	return o
}

func fullRecord(t *testing.T) Record {
	t.Helper()
	r, err := FromObject(object(t, full))
	if err != nil {
		t.Fatalf("FromObject: %v", err)
	}
	return r
}

func TestFromObject(t *testing.T) {
	want := Record{
		UID: "u1", Version: "48213", Holder: "web_1", DurationSeconds: 15,
		AcquireTime: time.Date(2026, 11, 22, 9, 30, 0, 1000, time.UTC), RenewTime: renewed,
		Transitions: 7, Mark: "web_1 15", Workload: "deployment/web", PreferredHolder: "web_2",
	}
	if diff := cmp.Diff(want, fullRecord(t), cmpopts.IgnoreUnexported(Record{})); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	got, err := FromObject(object(t, `{"metadata": {"resourceVersion": "5"}, "spec": {}}`))
	if diff := cmp.Diff(Record{Version: "5"}, got, cmpopts.IgnoreUnexported(Record{})); diff != "" || err != nil {
		t.Errorf("of an empty Lease (-want +got):\n%s, %v", diff, err)
	}
	if _, err := FromObject(object(t, `{"metadata": {"resourceVersion": "x"}}`)); err == nil {
		t.Error("a version without order was accepted")
	}
}

// TestObjectKeepsWhatTheRecordDoesNotModel also changes the object in every way: the record, a value, must not change with it.
func TestObjectKeepsWhatTheRecordDoesNotModel(t *testing.T) {
	r := fullRecord(t)
	o := r.Object("default", "acme-1")
	o.Labels["app"], o.Annotations["team"], *o.Spec.HolderIdentity = "changed", "changed", "changed"
	for i := range o.OwnerReferences {
		o.OwnerReferences[i].Name = "changed"
	}
	want := object(t, full)
	want.ManagedFields = nil
	if diff := cmp.Diff(want, r.Object("default", "acme-1")); diff != "" {
		t.Errorf("unchanged (-want +got):\n%s", diff)
	}
}

func TestObjectHasTheRecordsFields(t *testing.T) {
	r := fullRecord(t)
	r.Holder, r.DurationSeconds, r.PreferredHolder, r.Mark, r.Workload = "", 0, "", "", ""
	r.RenewTime, r.AcquireTime, r.Transitions = time.Time{}, time.Time{}, 8
	got := r.Object("default", "acme-1")
	want := object(t, full)
	want.ManagedFields = nil
	want.Annotations = map[string]string{"team": "a"}
	empty, eight := "", int32(8)
	want.Spec = coordinationv1.LeaseSpec{HolderIdentity: &empty, LeaseTransitions: &eight, Strategy: want.Spec.Strategy}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("blanked (-want +got):\n%s", diff)
	}
}

func TestReleased(t *testing.T) {
	released := Record{RenewTime: renewed, DurationSeconds: 1, Mark: ReleasedMark(renewed)}
	for _, c := range []struct {
		name   string
		change func(*Record)
		want   bool
	}{
		{"released", func(*Record) {}, true},
		{"taken since", func(r *Record) { r.Holder = "b_2" }, false},
		{"written since", func(r *Record) { r.RenewTime = renewed.Add(time.Microsecond) }, false},
		{"renew time removed", func(r *Record) { r.RenewTime = time.Time{} }, false},
		{"no mark", func(r *Record) { r.Mark = "" }, false},
		{"a holder's mark", func(r *Record) { r.Mark = "web_1 15" }, false},
		{"blanked by a hand", func(r *Record) { *r = Record{Mark: "web_1 15", RenewTime: renewed} }, false},
		{"never held", func(r *Record) { *r = Record{} }, false},
		{"never held, with a forged mark", func(r *Record) { *r = Record{Mark: ReleasedMark(time.Time{})} }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := released
			c.change(&r)
			if got := r.Released(); got != c.want {
				t.Errorf("released: %v, want %v", got, c.want)
			}
		})
	}
}

func TestNextTransitions(t *testing.T) {
	for n, want := range map[int32]int32{0: 1, 7: 8, math.MaxInt32 - 1: math.MaxInt32, math.MaxInt32: math.MaxInt32, -5: 0, math.MinInt32: 0} {
		if got := (Record{Transitions: n}).NextTransitions(); got != want {
			t.Errorf("after %d: %d, want %d", n, got, want)
		}
	}
}

// TestRoundTrip writes any record to an object, through JSON as a store would, and reads it back.
func TestRoundTrip(t *testing.T) {
	micros := rapid.Custom(func(t *rapid.T) time.Time {
		return time.UnixMicro(rapid.Int64Range(1, 4_000_000_000_000_000).Draw(t, "µs")).UTC()
	})
	rapid.Check(t, func(t *rapid.T) {
		want := Record{
			UID: rapid.String().Draw(t, "uid"), Version: Version(rapid.StringMatching(`[1-9][0-9]{0,30}`).Draw(t, "version")),
			Holder:          rapid.String().Draw(t, "holder"),
			DurationSeconds: rapid.Int32().Draw(t, "duration"),
			AcquireTime:     micros.Draw(t, "acquire"), RenewTime: micros.Draw(t, "renew"),
			Transitions: rapid.Int32().Draw(t, "transitions"),
			Mark:        rapid.String().Draw(t, "mark"), Workload: rapid.String().Draw(t, "workload"),
			PreferredHolder: rapid.String().Draw(t, "preferred"),
		}
		data, err := json.Marshal(want.Object("default", "acme-1"))
		if err != nil {
			t.Fatalf("encode: %v", err)
		}
		o := &coordinationv1.Lease{}
		if err := json.Unmarshal(data, o); err != nil {
			t.Fatalf("decode: %v", err)
		}
		got, err := FromObject(o)
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Record{})); diff != "" || err != nil {
			t.Fatalf("record (-want +got):\n%s, %v", diff, err)
		}
	})
}

func TestParseVersion(t *testing.T) {
	for s, want := range map[string]bool{
		"1": true, "9": true, "10": true, "48213": true, "18446744073709551616": true, strings.Repeat("9", 100): true,
		"": false, "0": false, "01": false, "-1": false, "+1": false, "1.5": false, "1e9": false, " 1": false, "1 ": false, "a1": false, "1a": false, "１": false,
	} {
		got, err := ParseVersion(s)
		if (err == nil) != want {
			t.Errorf("ParseVersion(%q): error %v, want it accepted: %v", s, err, want)
		}
		if want && got != Version(s) || !want && got != "" {
			t.Errorf("ParseVersion(%q) = %q", s, got)
		}
	}
}

func TestCompare(t *testing.T) {
	rising := []Version{"", "1", "2", "9", "10", "99", "100", "18446744073709551615", "18446744073709551616"}
	for i, v := range rising {
		if got := v.Compare(v); got != 0 {
			t.Errorf("%q against itself: %d", v, got)
		}
		for _, w := range rising[i+1:] {
			if got, back := v.Compare(w), w.Compare(v); got != -1 || back != 1 {
				t.Errorf("%q against %q: %d, and %d the other way, want -1 and 1", v, w, got, back)
			}
		}
	}
}
