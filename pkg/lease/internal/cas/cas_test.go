package cas_test

import (
	"errors"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/lease/internal/cas"
)

var now = time.Date(2026, 11, 22, 10, 0, 0, 123456789, time.UTC)

func made(t *testing.T) (*coordinationv1.Lease, lease.Record) {
	t.Helper()
	o, err := cas.Create(lease.Record{Workload: "deployment/web"}, "default", "acme-1", "5", now)
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	r, err := lease.FromObject(o)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return o, r
}

func TestNext(t *testing.T) {
	for v, want := range map[lease.Version]lease.Version{
		"": "1", "1": "2", "9": "10", "18446744073709551615": "18446744073709551616",
	} {
		if got := cas.Next(v); got != want {
			t.Errorf("after %q: %q, want %q", v, got, want)
		}
	}
}

func TestCreateTakesNothingOfTheRecordsPast(t *testing.T) {
	_, old := made(t)
	o, err := cas.Create(old, "default", "acme-1", "9", now)
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	if string(o.UID) == old.UID || o.UID == "" || o.ResourceVersion != "9" {
		t.Errorf("created as version %s of %s", o.ResourceVersion, o.UID)
	}
}

func TestUpdate(t *testing.T) {
	current, r := made(t)
	for _, c := range []struct {
		name    string
		current *coordinationv1.Lease
		change  func(*lease.Record)
		want    error
		version string
	}{
		{"changed", current, func(r *lease.Record) { r.Holder = "a_1" }, nil, "6"},
		{"nothing changed", current, func(*lease.Record) {}, nil, "5"},
		{"by a record made from nothing", current, func(r *lease.Record) { *r = lease.Record{UID: r.UID, Version: r.Version} }, nil, "6"},
		{"absent", nil, func(r *lease.Record) { r.Holder = "a_1" }, lease.ErrNotFound, ""},
		{"another version", current, func(r *lease.Record) { r.Version = "4" }, lease.ErrConflict, ""},
		{"a later version", current, func(r *lease.Record) { r.Version = "6" }, lease.ErrConflict, ""},
		{"another object", current, func(r *lease.Record) { r.UID = "u2" }, lease.ErrConflict, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := r
			c.change(&r)
			o, err := cas.Update(c.current, r, "6")
			if !errors.Is(err, c.want) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if err != nil {
				return
			}
			if o.ResourceVersion != c.version || o.UID != current.UID || !o.CreationTimestamp.Equal(&current.CreationTimestamp) {
				t.Errorf("stored as %s of %s, made %v", o.ResourceVersion, o.UID, o.CreationTimestamp)
			}
		})
	}
}

func TestConditional(t *testing.T) {
	for _, c := range []struct {
		r    lease.Record
		want bool
	}{
		{lease.Record{UID: "u", Version: "1"}, true},
		{lease.Record{UID: "u"}, false},
		{lease.Record{Version: "1"}, false},
		{lease.Record{}, false},
	} {
		if err := cas.Conditional(c.r.UID, c.r.Version); (err == nil) != c.want {
			t.Errorf("UID %q, version %q: error %v, want it accepted: %v", c.r.UID, c.r.Version, err, c.want)
		}
	}
}
