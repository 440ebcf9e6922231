package storetest

import (
	"time"

	"github.com/google/go-cmp/cmp"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

func releaseMark(b *bench) {
	r := held(b.create(lease.Record{}), "a_1", instant)
	r = b.update(r)
	r.Holder, r.DurationSeconds, r.RenewTime = "", 1, instant.Add(2*time.Second+time.Microsecond)
	r.Mark = lease.ReleasedMark(r.RenewTime)
	b.update(r)
	got := b.get()
	b.wantContent(got, r)
	if !got.Released() {
		b.t.Errorf("a release does not read back as one: %+v", got)
	}
}

func labelAndAnnotations(b *bench) {
	want := held(b.create(lease.Record{}), "a_1", instant)
	b.update(want)
	o := b.Admin.Read(b.t, b.Name)
	if got := o.Labels[naming.LabelElection]; got != "true" {
		b.t.Errorf("label %s is %q, want true", naming.LabelElection, got)
	}
	if got := o.Annotations[naming.AnnotationFencedBy]; got != want.Mark {
		b.t.Errorf("annotation %s is %q, want %q", naming.AnnotationFencedBy, got, want.Mark)
	}
	if got := o.Annotations[naming.AnnotationWorkload]; got != want.Workload {
		b.t.Errorf("annotation %s is %q, want %q", naming.AnnotationWorkload, got, want.Workload)
	}
	if got := o.Spec.Strategy; got != nil {
		b.t.Errorf("spec.strategy is %q, want it unset", *got)
	}
}

func foreignMetadata(b *bench) {
	b.create(lease.Record{})
	owner := metav1.OwnerReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "b0c8e9d2-6f0e-4a77-8c5f-000000000001"}
	b.edit(func(o *coordinationv1.Lease) {
		metav1.SetMetaDataLabel(&o.ObjectMeta, "app.kubernetes.io/managed-by", "Helm")
		metav1.SetMetaDataAnnotation(&o.ObjectMeta, "meta.helm.sh/release-name", "web")
		o.OwnerReferences = []metav1.OwnerReference{owner}
	})
	before := b.Admin.Read(b.t, b.Name)
	b.update(held(b.get(), "a_1", instant))
	after := b.Admin.Read(b.t, b.Name)
	for _, diff := range []string{
		cmp.Diff("Helm", after.Labels["app.kubernetes.io/managed-by"]),
		cmp.Diff("web", after.Annotations["meta.helm.sh/release-name"]),
		cmp.Diff([]metav1.OwnerReference{owner}, after.OwnerReferences),
		cmp.Diff(before.CreationTimestamp.UTC(), after.CreationTimestamp.UTC()),
		cmp.Diff([]string(nil), after.Finalizers),
	} {
		if diff != "" {
			b.t.Errorf("foreign metadata (-want +got):\n%s", diff)
		}
	}
}

func preferredHolder(b *bench) {
	b.create(lease.Record{})
	wish, strategy := "b_2", coordinationv1.OldestEmulationVersion
	b.edit(func(o *coordinationv1.Lease) { // the API server takes the one only with the other
		o.Spec.PreferredHolder, o.Spec.Strategy = &wish, &strategy
	})
	if b.DropsPreferredHolder {
		wish = ""
	}
	r := b.get()
	if r.PreferredHolder != wish {
		b.t.Errorf("preferred holder %q, want %q", r.PreferredHolder, wish)
	}
	r = b.update(held(r, "a_1", instant))
	if r.PreferredHolder != wish {
		b.t.Errorf("after an update that keeps it: preferred holder %q, want %q", r.PreferredHolder, wish)
	}
	r.PreferredHolder = ""
	b.update(held(r, "a_1", instant.Add(time.Second)))
	if got := b.Admin.Read(b.t, b.Name).Spec.PreferredHolder; got != nil {
		b.t.Errorf("after an update that clears it: preferred holder %q, want none", *got)
	}
}

func versionsRise(b *bench) {
	var last lease.Version
	rises := func(what string, v lease.Version) {
		b.t.Helper()
		if v.Compare(last) <= 0 {
			b.t.Errorf("%s has version %s, which is not past %s", what, v, last)
		}
		last = v
	}
	for range 3 {
		r := b.create(lease.Record{})
		rises("the creation", r.Version)
		r = b.update(held(r, "a_1", instant))
		rises("the update", r.Version)
		b.edit(func(o *coordinationv1.Lease) { o.Labels["edited"] = "yes" })
		rises("the edit", b.get().Version)
		b.delete()
	}
}
