//go:build linux

package e2e

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lease-sidecar/lease-sidecar/test/e2e/lab"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestJob: the pods of a Job work one after the other, and each completes, with its sidecar. In the end nobody holds the Lease.
func TestJob(t *testing.T) {
	for _, mode := range []lab.Mode{lab.Native, lab.ChildVolume} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			w := lab.Deploy(t, lab.Shared(t), lab.App{
				Mode: mode, Conduct: harness.Conduct{"Finish": 2 * time.Second},
				Edit: func(d *appsv1.Deployment) {
					if mode != lab.ChildVolume {
						return
					}
					app := &d.Spec.Template.Spec.Containers[0]
					app.Args = append([]string{app.Args[0], "--on-child-exit=exit"}, app.Args[1:]...)
				},
				As: func(d *appsv1.Deployment) any {
					n := int32(2)
					j := &batchv1.Job{TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"}, ObjectMeta: d.ObjectMeta}
					j.Spec = batchv1.JobSpec{Completions: &n, Parallelism: &n, Template: d.Spec.Template}
					j.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
					return j
				},
			})
			w.Kubectl("wait", "--for=condition=Complete", "job/web", "--timeout=55s")
			if holder := w.Kubectl("get", "leases", "acme-752b7817f6", "-o", "jsonpath={.spec.holderIdentity}"); holder != "" {
				t.Errorf("the Lease names %q, although all have completed", holder)
			}
			if a := w.Verdict(); a.Changes != 1 {
				t.Errorf("%d changes of the pod that works, want one between two pods", a.Changes)
			}
		})
	}
}
