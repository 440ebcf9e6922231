//go:build linux

package e2e

import (
	"path/filepath"
	"slices"
	"strings"
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

// TestKinds applies manifests of examples as they stand. The sidecar derives the workload from the pod's labels there. One pod works; it is deleted, and
// another one does.
func TestKinds(t *testing.T) {
	for _, tc := range []struct {
		file, workload string
		pods           int
	}{
		{file: "statefulset.yaml", workload: "statefulset/db", pods: 3},
		{file: "daemonset.yaml", workload: "daemonset/agent", pods: 2},
	} {
		t.Run(tc.file, func(t *testing.T) {
			t.Parallel()
			l := lab.Shared(t)
			ns := applied(t, l, tc.file)
			_, app, _ := strings.Cut(tc.workload, "/")
			said := l.Listen(t, ns, "app="+app, "app")
			awaitReadyPods(t, l, ns, "app="+app, tc.pods)
			first := said.AwaitTerm(takeover)
			derived := nameInPod(t, l, ns, first.Replica, lab.SidecarContainer, "/lease-sidecar", "")
			if given := nameInPod(t, l, ns, first.Replica, lab.SidecarContainer, "/lease-sidecar", "--workload="+tc.workload); given != derived {
				t.Errorf("the binary derives %s in the pod, and prints %s for %s", derived, given, tc.workload)
			}
			checkLeader(t, l, ns, derived, tc.workload, first.Replica)

			l.Kubectl(t, ns, "delete", "pod", first.Replica, "--wait=false")
			next := said.AwaitTerm(takeover, first.Token)
			checkLeader(t, l, ns, derived, tc.workload, next.Replica)
			awaitReadyPods(t, l, ns, "app="+app, tc.pods)
			if n := said.Verdict(); n != 2 {
				t.Errorf("%d terms, want 2", n)
			}
		})
	}
}

// TestCronJob applies the example as it stands. One run is started by hand, and the schedule starts the next. Both elect by one Lease, work one after
// the other, and complete with their sidecars.
func TestCronJob(t *testing.T) {
	t.Parallel()
	l := lab.Shared(t)
	ns := applied(t, l, "cronjob.yaml")
	said := l.Listen(t, ns, "app=cleanup", "app")
	l.Kubectl(t, ns, "create", "job", "--from=cronjob/cleanup", "now")
	first := said.AwaitTerm(takeover)
	lease := nameInPod(t, l, ns, first.Replica, lab.SidecarContainer, "/lease-sidecar", "--workload=cronjob/cleanup")
	checkLeader(t, l, ns, lease, "cronjob/cleanup", first.Replica)
	second := said.AwaitTerm(time.Minute+takeover, first.Token)
	l.Kubectl(t, ns, "patch", "cronjob", "cleanup", "--patch", `{"spec": {"suspend": true}}`)
	var completed []string
	harness.Eventually(t, slack, "all runs have completed", func() bool {
		jobs, err := l.Admin.BatchV1().Jobs(ns).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		completed = nil
		for _, j := range jobs.Items {
			if j.Status.Failed > 0 {
				t.Fatalf("a pod of %s has failed: %+v", j.Name, j.Status)
			}
			if j.Status.Succeeded > 0 {
				completed = append(completed, j.Name)
			}
		}
		return len(completed) == len(jobs.Items)
	})
	ended := slices.DeleteFunc(said.Lines(), func(line lab.Line) bool { return !strings.HasPrefix(line.Text, "step 5 ") })
	if len(completed) < 2 || len(ended) < 2 || second.Replica == first.Replica {
		t.Errorf("of the runs %v, %d have done their five steps; the first were those of %s and %s; want two at least", completed, len(ended), first.Replica, second.Replica)
	}
	checkLeader(t, l, ns, lease, "cronjob/cleanup", "") // released, and no other Lease
	t.Logf("figure: %d terms of %d runs", said.Verdict(), len(completed))
}

// TestSideBySide applies two Deployments of one product, with one prefix, in one namespace: each has a Lease and a leader of its own, and a handover of
// the one leaves the other alone.
func TestSideBySide(t *testing.T) {
	t.Parallel()
	l := lab.Shared(t)
	ns := applied(t, l, "web.yaml", "classic.yaml")
	web, classic := l.Listen(t, ns, "app=web", "web"), l.Listen(t, ns, "app=classic", "app")
	awaitReadyPods(t, l, ns, "app in (web, classic)", 6)
	first, other := web.AwaitTerm(takeover), classic.AwaitTerm(takeover)
	l.Kubectl(t, ns, "delete", "pod", first.Replica, "--wait=false")
	next := web.AwaitTerm(takeover, first.Token)
	awaitReadyPods(t, l, ns, "app in (web, classic)", 6)
	holders := map[string]string{}
	list, err := l.Admin.CoordinationV1().Leases(ns).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, lease := range list.Items {
		if lease.Spec.HolderIdentity != nil {
			holders[lease.Annotations["lease-sidecar.dev/workload"]], _, _ = strings.Cut(*lease.Spec.HolderIdentity, "_")
		}
	}
	if len(list.Items) != 2 || holders["deployment/web"] != next.Replica || holders["deployment/classic"] != other.Replica {
		t.Errorf("%d Leases name %v, want two with %s and %s", len(list.Items), holders, next.Replica, other.Replica)
	}
	if changes, none := web.Verdict()-1, classic.Verdict()-1; changes != 1 || none != 0 {
		t.Errorf("%d changes of web's leader and %d of the other's, want one and none", changes, none)
	}
}

// applied makes a namespace of the strictest Pod Security standard, and applies manifests of examples there as they stand. It is gone with the test.
func applied(t *testing.T, l *lab.Lab, files ...string) string {
	t.Helper()
	ns := l.Namespace(t, lab.Restricted())
	t.Cleanup(func() { l.LateKubectl(t, ns, "delete", "namespace", ns, "--wait=false") })
	for _, file := range files {
		l.Kubectl(t, ns, "apply", "-f", filepath.Join(harness.ModuleRoot(t), "examples", "manifests", file))
	}
	return ns
}
