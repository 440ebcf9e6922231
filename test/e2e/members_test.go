//go:build linux

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
	"github.com/lease-sidecar/lease-sidecar/test/e2e/lab"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestRolloutOfMembers updates five replicas, whose new pods become ready before old ones go. With membership leadership moves once in
// each update: the last old leader names a new pod, and the old ones stand back. Without it, any replica may be next, also one that the
// update ends a moment later.
func TestRolloutOfMembers(t *testing.T) {
	for _, membership := range []bool{true, false} {
		t.Run(fmt.Sprintf("membership %t", membership), func(t *testing.T) { rollOutMembers(t, membership) })
	}
}

func rollOutMembers(t *testing.T, membership bool) {
	const replicas = 5
	w := lab.Deploy(t, lab.Shared(t), lab.App{Replicas: replicas, Edit: func(d *appsv1.Deployment) {
		d.Spec.RevisionHistoryLimit = new(int32)
		none, surge := intstr.FromInt32(0), intstr.FromInt32(2)
		d.Spec.Strategy.RollingUpdate = &appsv1.RollingUpdateDeployment{MaxUnavailable: &none, MaxSurge: &surge}
		if membership {
			join(&d.Spec.Template.Spec.InitContainers[0])
		}
	}})
	if membership {
		w.Kubectl("apply", "-f", harness.ModuleRoot(t)+"/examples/membership/role.yaml")
	}
	w.AwaitReady(2*slack, replicas)
	w.AwaitWork(takeover)
	var changes []int
	for range *rollouts {
		a, _ := restart(t, w)
		n := a.Changes
		changes = append(changes, n)
		if n < 1 || membership && n != 1 {
			t.Errorf("leadership moved %d times in an update", n)
		}
	}
	t.Logf("figure: %d updates of %d replicas, leadership moved %v times", *rollouts, replicas, changes)
	w.Verdict()
}

// TestChartMembers installs leader-web with membership: under the policies of the chart each pod keeps a Lease of its own, and the leader hands over
// to the pod that an annotation names.
func TestChartMembers(t *testing.T) {
	t.Parallel()
	l := lab.Shared(t)
	ns := l.Namespace(t, lab.Restricted())
	t.Cleanup(func() { l.LateKubectl(t, ns, "delete", "namespace", ns, "--wait=false") })
	const lease, selector = "acme-3729b2ae49", "app.kubernetes.io/instance=web"
	said := l.Listen(t, ns, selector, "app")
	r := l.Install(t, ns, "web", "leader-web", map[string]any{"leaseSidecar": map[string]any{
		"prefix": "acme", "membership": map[string]any{"enabled": true},
	}})
	awaitReadyPods(t, l, ns, selector, 3)
	pods := podNames(t, l, ns, selector)
	harness.Eventually(t, slack, "each pod has a Lease of its own", func() bool {
		out := l.Kubectl(t, ns, "get", "lease", "-l", "lease-sidecar.dev/member-of="+lease, "-o", `jsonpath={range .items[*]}{.metadata.labels.lease-sidecar\.dev/pod}{"\n"}{end}`)
		found := strings.Fields(out)
		slices.Sort(found)
		slices.Sort(pods)
		return slices.Equal(found, pods)
	})
	first := said.AwaitTerm(takeover)
	wish := pods[0]
	if wish == first.Replica {
		wish = pods[1]
	}
	l.Kubectl(t, ns, "annotate", "lease", lease, naming.AnnotationPreferredHolder+"="+wish)
	harness.Eventually(t, takeover, "the pod that was named works", func() bool {
		terms := said.Terms()
		return terms[len(terms)-1].Replica == wish
	})
	r.Helm("uninstall", "web")
	harness.Eventually(t, 2*slack, "the pods are gone", func() bool { return len(podNames(t, l, ns, selector)) == 0 })
	if n := said.Verdict(); n < 2 {
		t.Errorf("%d terms, want two or more", n)
	}
	if out := l.Kubectl(t, ns, "get", "validatingadmissionpolicies", "-o", "name"); strings.Contains(out, ns+".") {
		t.Errorf("the uninstall has left a policy:\n%s", out)
	}
}

// join makes a sidecar a member that knows the revision of its pod.
func join(sidecar *corev1.Container) {
	sidecar.Args = append(sidecar.Args, "--membership")
	sidecar.Env = append(sidecar.Env, corev1.EnvVar{Name: "POD_LABEL_POD_TEMPLATE_HASH", ValueFrom: &corev1.EnvVarSource{
		FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.labels['pod-template-hash']"},
	}})
}
