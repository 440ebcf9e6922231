//go:build linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/lease-sidecar/lease-sidecar/test/e2e/lab"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// tries are patches of pods with the token of the leader's pod. "{leader}" is that pod, "{standby}" another one of its workload, "{other}" a pod of another
// account. admitted: the policy lets them pass, as the sidecar needs them.
var tries = []struct {
	name, pod, patch string
	admitted         bool
}{
	{"its own label off", "{leader}", `{"metadata":{"labels":{"lease-sidecar.dev/role":null}}}`, true},
	{"its own label on", "{leader}", `{"metadata":{"labels":{"lease-sidecar.dev/role":"leader"}}}`, true},
	{"the label off a pod of its workload", "{standby}", `{"metadata":{"labels":{"lease-sidecar.dev/role":null},"annotations":{"lease-sidecar.dev/role":null}}}`, true},
	{"another value of the label", "{leader}", `{"metadata":{"labels":{"lease-sidecar.dev/role":"admin"}}}`, false},
	{"another label", "{leader}", `{"metadata":{"labels":{"app":"other"}}}`, false},
	{"another annotation", "{leader}", `{"metadata":{"annotations":{"example.com/note":"x"}}}`, false},
	{"its own image", "{leader}", `{"spec":{"containers":[{"name":"app","image":"registry.example.com/other:1"}]}}`, false},
	{"the label of another account's pod", "{other}", `{"metadata":{"labels":{"lease-sidecar.dev/role":"leader"}}}`, false},
	{"the image of another account's pod", "{other}", `{"spec":{"containers":[{"name":"app","image":"registry.example.com/other:1"}]}}`, false},
}

// TestLabelPolicyOnANode takes the token out of the leader's container, as who has broken into the sidecar would, and tries what it may do to pods. The
// policy of the chart, and that of examples/pod-label as it stands, for the namespace "default", admit what the sidecar does and nothing else. The
// sidecars themselves label and unlabel over a handover.
//
// There is no such test of examples/manifests/network-policy.yaml and of the charts' NetworkPolicy: the network plugin of these nodes (bridge) enforces
// none, so a test could not fail.
func TestLabelPolicyOnANode(t *testing.T) {
	t.Run("chart", func(t *testing.T) {
		t.Parallel()
		l := lab.Shared(t)
		ns := l.Namespace(t, lab.Restricted())
		t.Cleanup(func() { l.LateKubectl(t, ns, "delete", "namespace", ns, "--wait=false") })
		l.Install(t, ns, "web", "leader-web", map[string]any{
			"fullnameOverride": lab.AppName, "leaderService": map[string]any{"enabled": true}, "leaseSidecar": map[string]any{"prefix": "acme"},
		})
		tryPolicy(t, l, ns, "app.kubernetes.io/instance=web", lab.SidecarContainer, "/lease-sidecar")
	})
	t.Run("manifest", func(t *testing.T) {
		t.Parallel()
		l := lab.Shared(t)
		const ns = "default"
		examples := filepath.Join(harness.ModuleRoot(t), "examples")
		files := []string{"-f", filepath.Join(examples, "pod-label"), "-f", filepath.Join(examples, "manifests", "leader-service.yaml")}
		t.Cleanup(func() { l.LateKubectl(t, ns, append([]string{"delete", "--ignore-not-found"}, files...)...) })
		l.Kubectl(t, ns, append([]string{"apply"}, files...)...)
		tryPolicy(t, l, ns, "app=web", "app", "/opt/lease-sidecar/lease-sidecar")
	})
}

// tryPolicy tries the token of the leader among three pods, whose sidecar is in that container, and hands over.
func tryPolicy(t *testing.T, l *lab.Lab, ns, selector, container, binary string) {
	t.Helper()
	awaitReadyPods(t, l, ns, selector, 3)
	const labelled = ",lease-sidecar.dev/role=leader"
	var leader string
	harness.Eventually(t, takeover, "one pod has the label", func() bool {
		bearers := podNames(t, l, ns, selector+labelled)
		if len(bearers) == 1 {
			leader = bearers[0]
		}
		return len(bearers) == 1
	})
	names := strings.NewReplacer("{leader}", leader, "{standby}", podNames(t, l, ns, selector+",lease-sidecar.dev/role!=leader")[0], "{other}", otherPod(t, l, ns))
	client := clientOf(t, l, l.Container(t, ns, leader, container))
	for _, try := range tries {
		_, err := client.CoreV1().Pods(ns).Patch(t.Context(), names.Replace(try.pod), types.StrategicMergePatchType, []byte(try.patch), metav1.PatchOptions{})
		switch {
		case try.admitted && err != nil:
			t.Errorf("%s: %v, want it admitted", try.name, err)
		case !try.admitted && (!apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "this account may")):
			t.Errorf("%s: %v, want it refused by the policy", try.name, err)
		}
	}
	if err := client.CoreV1().Pods(ns).Delete(t.Context(), leader, metav1.DeleteOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("deleting its own pod: %v, want it forbidden", err)
	}
	l.Kubectl(t, ns, "exec", leader, "-c", container, "--", binary, "step-down")
	harness.Eventually(t, slack, "another pod alone has the label", func() bool {
		bearers := podNames(t, l, ns, selector+labelled)
		return len(bearers) == 1 && bearers[0] != leader
	})
}

// otherPod makes a pod of the account "default", which does nothing as long as the test runs, and waits until it is ready.
func otherPod(t *testing.T, l *lab.Lab, ns string) string {
	t.Helper()
	now := int64(0)
	pod, err := l.Admin.CoreV1().Pods(ns).Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "other-"},
		Spec: corev1.PodSpec{
			SecurityContext:               &corev1.PodSecurityContext{SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
			TerminationGracePeriodSeconds: &now,
			Containers:                    []corev1.Container{{Name: "app", Image: l.Images.Shell, Command: []string{"sleep", "3600"}, SecurityContext: strict()}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.LateKubectl(t, ns, "delete", "pod", pod.Name, "--wait=false") })
	l.Kubectl(t, ns, "wait", "--for=condition=Ready", "pod/"+pod.Name, "--timeout=50s")
	return pod.Name
}

// strict is what the strictest Pod Security standard asks of a container.
func strict() *corev1.SecurityContext {
	yes, no, user := true, false, int64(65532)
	return &corev1.SecurityContext{
		RunAsUser: &user, RunAsNonRoot: &yes, AllowPrivilegeEscalation: &no, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
}

// clientOf is a client with the token that is mounted into a container.
func clientOf(t *testing.T, l *lab.Lab, c *lab.Container) *kubernetes.Clientset {
	t.Helper()
	token, err := os.ReadFile(fmt.Sprintf("/proc/%d/root/var/run/secrets/kubernetes.io/serviceaccount/token", c.PID))
	if err != nil {
		t.Fatal(err)
	}
	admin := l.AdminConfig()
	client, err := kubernetes.NewForConfig(&rest.Config{
		Host: admin.Host, BearerToken: string(token), TLSClientConfig: rest.TLSClientConfig{CAFile: admin.CAFile},
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}
