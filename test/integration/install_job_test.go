//go:build linux

package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestJobTakesItsLease makes the Job the owner of the Lease, as docs/how-to/elect-in-jobs.md says, while a sidecar leads: the term goes on,
// and the owner stays.
func TestJobTakesItsLease(t *testing.T) {
	t.Parallel()
	e, s := leadAlone(t, mixedDuration)
	page, err := os.ReadFile(filepath.Join(harness.ModuleRoot(t), "docs", "how-to", "elect-in-jobs.md"))
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile("(?ms)^```sh terminal 1\n(uid=.*?)^```$").FindSubmatch(page)
	if shown == nil {
		t.Fatal("the page has no commands that make the Job the owner")
	}
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "report"}, Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "app", Image: "registry.example.com/report:1"}},
	}}}}
	job, err = e.Cluster.Admin.BatchV1().Jobs(e.Namespace).Create(t.Context(), job, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, token := s.Leads()
	script := strings.NewReplacer("acme-5d4928ef59", e.Lease, "kubectl ", harness.Kubectl(t)+" --kubeconfig "+e.Cluster.AdminKubeconfig(t)+" -n "+e.Namespace+" ").Replace(string(shown[1]))
	if out, code := harness.RunCommand(t, "/bin/busybox", "sh", "-ec", script); code != 0 {
		t.Fatalf("status %d\n%s", code, out)
	}
	renewed := e.Read(t).Spec.RenewTime
	harness.Eventually(t, 2*e.Duration+slack, "the Lease is renewed", func() bool { return e.Read(t).Spec.RenewTime.After(renewed.Time) })
	owners := e.Read(t).OwnerReferences
	if len(owners) != 1 || owners[0].UID != job.UID || owners[0].Kind != "Job" {
		t.Errorf("the Lease is owned by %+v, want the Job %s", owners, job.UID)
	}
	if leads, now := s.Leads(); !leads || now != token {
		t.Errorf("leads %v with token %s, want the term of token %s", leads, now, token)
	}
}
