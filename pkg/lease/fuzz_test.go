package lease

import (
	"encoding/json"
	"math/big"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// FuzzRecord reads Leases that anybody may have written. What can be read at all makes a record that can be written
// again without a change to what others put there, that is never free for whom it must be waited for, and whose version
// has its place in the order of numbers.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(full), "48214")
	f.Add([]byte(`{"metadata":{"resourceVersion":"18446744073709551616"},"spec":{"leaseDurationSeconds":-1,"leaseTransitions":-2147483648}}`), "18446744073709551615")
	f.Add([]byte(`{"metadata":{"resourceVersion":"5","annotations":{"lease-sidecar.dev/fenced-by":"released@2026-11-22T10:00:00.123456Z"}},`+
		`"spec":{"holderIdentity":"","renewTime":"2026-11-22T11:00:00.123456+01:00"}}`), "5")
	f.Add([]byte(`{"metadata":{"resourceVersion":"7","annotations":{"lease-sidecar.dev/fenced-by":"a 2147483647"}},"spec":{"holderIdentity":"a"}}`), "007")
	f.Add([]byte(`{"metadata":{"resourceVersion":"10","annotations":{"lease-sidecar.dev/fenced-by":"released@2026-11-22T10:00:00.123456Z"}},`+
		`"spec":{"renewTime":"2026-11-22T10:00:00.123457Z"}}`), "9")
	f.Add([]byte(`{"metadata":{"resourceVersion":"7","annotations":{"lease-sidecar.dev/fenced-by":"a 15"}},"spec":{"holderIdentity":"b","leaseDurationSeconds":60}}`), "70")
	f.Add([]byte(`{"metadata":{"resourceVersion":"9"},"spec":{"renewTime":"0001-01-01T00:00:00.000000Z","acquireTime":null}}`), "")
	f.Fuzz(func(t *testing.T, object []byte, other string) {
		o := &coordinationv1.Lease{}
		if json.Unmarshal(object, o) != nil {
			return
		}
		r, err := FromObject(o)
		if err != nil {
			if number.MatchString(o.ResourceVersion) {
				t.Fatalf("version %q is a number, and refused: %v", o.ResourceVersion, err)
			}
			return
		}
		checkOrder(t, r.Version, other)
		checkWait(t, r)
		checkRoundTrip(t, o, r)
	})
}

var number = regexp.MustCompile(`^[1-9][0-9]*$`)

// checkOrder compares the version with another, and with none, as numbers of any size.
func checkOrder(t *testing.T, v Version, text string) {
	t.Helper()
	a, ok := new(big.Int).SetString(string(v), 10)
	if !ok || a.String() != string(v) {
		t.Fatalf("version %q is not a plain number", v)
	}
	if v.Compare("") != 1 || Version("").Compare(v) != -1 {
		t.Fatalf("version %q does not come after none", v)
	}
	w, err := ParseVersion(text)
	if (err == nil) != number.MatchString(text) {
		t.Fatalf("ParseVersion(%q): %v", text, err)
	}
	if err != nil {
		return
	}
	b, _ := new(big.Int).SetString(text, 10)
	if got, want := v.Compare(w), a.Cmp(b); got != want || w.Compare(v) != -want {
		t.Fatalf("%s against %s: %d, and %d the other way, want %d", v, w, got, w.Compare(v), want)
	}
}

// checkWait asks that a record is free at once only by a release that names its own renew time, and that the wait for
// any other is as long as anything in it says.
func checkWait(t *testing.T, r Record) {
	t.Helper()
	if r.Released() && (r.Holder != "" || r.Mark != "released@"+r.RenewTime.Format("2006-01-02T15:04:05.000000Z")) {
		t.Fatalf("released: %+v", r)
	}
	identity, duration, marked := parseMark(r.Mark)
	if marked && (HeldMark(identity, duration) != r.Mark && !padded(r.Mark) || duration < time.Second || identity == "") {
		t.Fatalf("mark %q reads as %q, %v", r.Mark, identity, duration)
	}
	spec := time.Duration(r.DurationSeconds) * time.Second
	want := max(spec, 0)
	switch {
	case r.Holder == "" && r.Foreign(), r.Holder != "" && !r.Foreign() && identity != r.Holder:
		t.Fatalf("foreign %v: %+v", r.Foreign(), r)
	case marked && !r.Foreign():
		want = duration
	}
	if got := r.Validity(); got != want || got < 0 {
		t.Fatalf("valid for %v, want %v: %+v", got, want, r)
	}
}

// padded tells the marks that are read though no candidate writes them so: "a +15", "a 015".
func padded(mark string) bool { return regexp.MustCompile(` (\+|0)[0-9]+$`).MatchString(mark) }

// checkRoundTrip writes the record back: what it models must read the same, and the rest must be as it was.
func checkRoundTrip(t *testing.T, o *coordinationv1.Lease, r Record) {
	t.Helper()
	before := o.DeepCopy()
	written := r.Object(o.Namespace, o.Name)
	if diff := cmp.Diff(before, o); diff != "" {
		t.Fatalf("the object that was read has changed (-was +is):\n%s", diff)
	}
	again, err := FromObject(written)
	if err != nil {
		t.Fatalf("its own object cannot be read: %v", err)
	}
	if diff := cmp.Diff(r, again, cmpopts.IgnoreUnexported(Record{})); diff != "" {
		t.Fatalf("record (-read +written and read):\n%s", diff)
	}
	if diff := cmp.Diff(foreign(before), foreign(written), cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("what the record does not model (-was +is):\n%s", diff)
	}
}

// foreign returns the object without what the record models, and what the server keeps by itself.
func foreign(o *coordinationv1.Lease) *coordinationv1.Lease {
	o = o.DeepCopy()
	o.ManagedFields = nil
	delete(o.Labels, naming.LabelElection)
	delete(o.Annotations, naming.AnnotationFencedBy)
	delete(o.Annotations, naming.AnnotationWorkload)
	o.Spec = coordinationv1.LeaseSpec{Strategy: o.Spec.Strategy}
	return o
}
