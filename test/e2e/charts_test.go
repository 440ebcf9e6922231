//go:build linux

package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lease-sidecar/lease-sidecar/test/e2e/lab"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestChart takes leader-web through the life of a release, with the values of its README and the Service of the leader: install, helm test, upgrade,
// rollback and uninstall. At most one pod works throughout, and in the end nothing of it is left. It measures, so nothing else runs beside it.
func TestChart(t *testing.T) {
	l := lab.Shared(t)
	ns := l.Namespace(t, lab.Restricted())
	t.Cleanup(func() { l.LateKubectl(t, ns, "delete", "namespace", ns, "--wait=false") })
	var before []string
	harness.Eventually(t, slack, "the namespace has what each has", func() bool {
		before = allObjects(t, l, ns)
		return slices.Contains(before, "configmap/kube-root-ca.crt") && slices.Contains(before, "serviceaccount/default")
	})
	const lease, selector = "acme-3729b2ae49", "app.kubernetes.io/instance=web"
	said := l.Listen(t, ns, selector, "app")
	r := l.Install(t, ns, "web", "leader-web", map[string]any{
		"leaseSidecar": map[string]any{"prefix": "acme"}, "leaderService": map[string]any{"enabled": true},
	})

	awaitReadyPods(t, l, ns, selector, 3)
	ready := time.Now()
	first := said.AwaitTerm(leaseDuration + slack)
	t.Logf("figure: the first leader worked %.1f s after the pods were seen to be ready", time.Unix(0, int64(first.From)).Sub(ready).Seconds())
	checkLeader(t, l, ns, lease, "deployment/web-leader-web", first.Replica)
	if out := r.Helm("test", "web", "--timeout=50s"); !strings.Contains(out, "Phase:          Succeeded") {
		t.Errorf("helm test:\n%s", out)
	}

	uid := l.Kubectl(t, ns, "get", "lease", lease, "-o", "jsonpath={.metadata.uid}")
	last := first
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"upgrade", func() { r.Upgrade("podAnnotations.revision=second") }},
		{"rollback", func() { r.Helm("rollback", "web", "1") }},
	} {
		old := podNames(t, l, ns, selector)
		began := time.Now()
		step.do()
		awaitRollout(t, l, ns, "deployment/web-leader-web")
		t.Logf("figure: the %s of three replicas took %.1f s", step.name, time.Since(began).Seconds())
		harness.Eventually(t, takeover, "a new pod works", func() bool {
			terms := said.Terms()
			last = terms[len(terms)-1]
			return !slices.Contains(old, last.Replica)
		})
		checkLeader(t, l, ns, lease, "deployment/web-leader-web", last.Replica)
		if now := l.Kubectl(t, ns, "get", "lease", lease, "-o", "jsonpath={.metadata.uid}"); now != uid {
			t.Errorf("the %s made a new Lease", step.name)
		}
	}

	r.Helm("uninstall", "web")
	harness.Eventually(t, slack, "the pods are gone", func() bool { return len(podNames(t, l, ns, selector)) == 0 })
	var left []string
	harness.Within(slack, time.Second, func() bool { // the controllers and the garbage collector follow
		left = slices.DeleteFunc(allObjects(t, l, ns), func(o string) bool { return slices.Contains(before, o) })
		return len(left) == 0
	})
	if len(left) > 0 {
		t.Errorf("the uninstall has left %v", left)
	}
	t.Logf("figure: %d terms from the install to the uninstall", said.Verdict())
}

// TestChartKinds installs the other two charts from nothing: one pod of each works, its Lease has the name that the binary in the pod prints, and the
// primary's Service reaches it.
func TestChartKinds(t *testing.T) {
	t.Run("leader-child", func(t *testing.T) {
		for name, volume := range map[string]bool{"install": false, "image volume": true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				l := lab.Shared(t)
				ns := l.Namespace(t, lab.Restricted())
				t.Cleanup(func() { l.LateKubectl(t, ns, "delete", "namespace", ns, "--wait=false") })
				said := l.Listen(t, ns, "app.kubernetes.io/instance=worker", "app")
				l.Install(t, ns, "worker", "leader-child", map[string]any{"leaseSidecar": map[string]any{"prefix": "acme", "imageVolume": volume}})
				awaitReadyPods(t, l, ns, "app.kubernetes.io/instance=worker", 2)
				first := said.AwaitTerm(takeover)
				lease := nameInPod(t, l, ns, first.Replica, "app", "/opt/lease-sidecar/lease-sidecar", "--workload=deployment/worker-leader-child")
				checkLeader(t, l, ns, lease, "deployment/worker-leader-child", first.Replica)
				l.Kubectl(t, ns, "delete", "pod", first.Replica, "--wait=false")
				next := said.AwaitTerm(takeover, first.Token)
				checkLeader(t, l, ns, lease, "deployment/worker-leader-child", next.Replica)
				if n := said.Verdict(); n != 2 || next.Replica == first.Replica {
					t.Errorf("%d terms, the first of %s and then of %s; want two of two pods", n, first.Replica, next.Replica)
				}
			})
		}
	})
	t.Run("leader-stateful", func(t *testing.T) {
		t.Parallel()
		l := lab.Shared(t)
		ns := l.Namespace(t, lab.Restricted())
		t.Cleanup(func() { l.LateKubectl(t, ns, "delete", "namespace", ns, "--wait=false") })
		l.Install(t, ns, "db", "leader-stateful", map[string]any{"leaseSidecar": map[string]any{"prefix": "acme"}})
		const selector, workload = "app.kubernetes.io/instance=db", "statefulset/db-leader-stateful"
		awaitReadyPods(t, l, ns, selector, 3)
		url := "http://" + clusterIP(t, l, ns, "db-leader-stateful-primary") + "/journal"
		var primary string
		harness.Eventually(t, takeover, "the Service reaches the primary", func() bool {
			primary = writerOf(get(url))
			return primary != ""
		})
		lease := nameInPod(t, l, ns, primary, lab.SidecarContainer, "/lease-sidecar", "")
		checkLeader(t, l, ns, lease, workload, primary)
		l.Kubectl(t, ns, "delete", "pod", primary, "--wait=false")
		var next string
		harness.Eventually(t, takeover, "the Service reaches another primary", func() bool {
			next = writerOf(get(url))
			return next != "" && next != primary
		})
		checkLeader(t, l, ns, lease, workload, next)
		harness.Throughout(t, 3*time.Second, "the Service reaches that primary alone", func() bool { return writerOf(get(url)) == next })
	})
}

// writerOf is the pod that has written the last line of a primary's journal, "12:00:00 POD, token 48213".
func writerOf(journal string) string {
	lines := strings.Split(strings.TrimSpace(journal), "\n")
	fields := strings.Fields(lines[len(lines)-1])
	if len(fields) != 4 || fields[2] != "token" {
		return ""
	}
	return strings.TrimSuffix(fields[1], ",")
}

// get returns what a URL answers with status 200; "" for all else.
func get(url string) string {
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get(url)
	if err != nil {
		return ""
	}
	return bodyOf(answer)
}

// checkLeader: the Lease is for that workload, and its holder is that pod. There is no other Lease.
func checkLeader(t *testing.T, l *lab.Lab, ns, lease, workload, pod string) {
	t.Helper()
	list, err := l.Admin.CoordinationV1().Leases(ns).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) != 1 {
		t.Fatalf("there are %d Leases (%v), want one", len(list.Items), err)
	}
	found := list.Items[0]
	holder := ""
	if found.Spec.HolderIdentity != nil {
		holder, _, _ = strings.Cut(*found.Spec.HolderIdentity, "_")
	}
	if of := found.Annotations["lease-sidecar.dev/workload"]; found.Name != lease || of != workload || holder != pod {
		t.Errorf("the Lease %s of %s names %q, want %s of %s with %q", found.Name, of, holder, lease, workload, pod)
	}
}

// nameInPod is the Lease's name as the binary in a pod prints it, of a workload that is given ("--workload=…"), or that it derives from the pod's labels ("").
func nameInPod(t *testing.T, l *lab.Lab, ns, pod, container, binary, workload string) string {
	t.Helper()
	args := []string{"exec", pod, "-c", container, "--", binary, "name", "--prefix=acme"}
	if workload != "" {
		args = append(args, workload)
	}
	return strings.TrimSpace(l.Kubectl(t, ns, args...))
}

// clusterIP is the address of a Service.
func clusterIP(t *testing.T, l *lab.Lab, ns, service string) string {
	t.Helper()
	s, err := l.Admin.CoreV1().Services(ns).Get(t.Context(), service, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s.Spec.ClusterIP
}

// podNames are the pods that a selector selects.
func podNames(t *testing.T, l *lab.Lab, ns, selector string) (names []string) {
	t.Helper()
	list, err := l.Admin.CoreV1().Pods(ns).List(t.Context(), metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list.Items {
		names = append(names, p.Name)
	}
	return names
}

// awaitReadyPods waits until that many pods are ready, and there are no others.
func awaitReadyPods(t *testing.T, l *lab.Lab, ns, selector string, want int) {
	t.Helper()
	harness.Eventually(t, slack, fmt.Sprintf("%d pods are ready", want), func() bool {
		list, err := l.Admin.CoreV1().Pods(ns).List(t.Context(), metav1.ListOptions{LabelSelector: selector})
		if err != nil {
			t.Fatal(err)
		}
		ready := 0
		for _, p := range list.Items {
			if slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue }) {
				ready++
			}
		}
		return ready == want && len(list.Items) == want
	})
}

// awaitRollout waits until all pods of a workload are new and ready.
func awaitRollout(t *testing.T, l *lab.Lab, ns, workload string) {
	t.Helper()
	ends := harness.Within(2*slack, time.Second, func() bool { // a command may take a minute at the most
		_, code := l.TryKubectl(t, ns, "rollout", "status", workload, "--timeout=50s")
		return code == 0
	})
	if !ends {
		t.Fatal("the rollout does not end")
	}
}

// allObjects are the objects of a namespace, and those of the cluster, of all kinds but Events.
func allObjects(t *testing.T, l *lab.Lab, ns string) (names []string) {
	t.Helper()
	kinds := strings.Fields(l.Kubectl(t, ns, "api-resources", "--verbs=list", "-o", "name"))
	kinds = slices.DeleteFunc(kinds, func(kind string) bool { return strings.HasPrefix(kind, "events") || kind == "componentstatuses" })
	return strings.Fields(l.Kubectl(t, ns, "get", strings.Join(kinds, ","), "-o", "name"))
}
