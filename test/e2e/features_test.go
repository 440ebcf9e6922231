//go:build linux

package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/lease-sidecar/lease-sidecar/test/e2e/lab"
)

// TestUserNamespace runs pods as root in user namespaces, which the strictest Pod Security standard admits: the kernel knows their root
// as another user. The first pod is then deleted.
func TestUserNamespace(t *testing.T) {
	t.Parallel()
	s := scene{t: t, Work: lab.Deploy(t, lab.Shared(t), lab.App{Edit: func(d *appsv1.Deployment) {
		pod := &d.Spec.Template.Spec
		pod.HostUsers = new(bool)
		pod.SecurityContext = &corev1.PodSecurityContext{RunAsUser: new(int64), SeccompProfile: pod.SecurityContext.SeccompProfile}
	}})}
	s.AwaitReady(slack, 3)
	s.leader = s.AwaitWork(takeover)
	for _, name := range []string{lab.SidecarContainer, lab.AppContainer} {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.Container(s.leader, name).PID))
		if err != nil {
			t.Fatal(err)
		}
		var uid int
		_, after, _ := strings.Cut(string(status), "\nUid:")
		if _, err := fmt.Sscan(after, &uid); err != nil || uid < 65536 {
			t.Errorf("%s runs as the machine's user %d (%v)", name, uid, err)
		}
	}
	s.Kubectl("delete", "pod", s.leader, "--wait=false")
	s.another()
	s.AwaitReady(2*slack, 3)
	s.Verdict()
}

// TestRestartRules runs a program that works from its start and cannot be asked to stop. An init container has it wait until its
// replica leads, and a restart rule of the sidecar has the kubelet restart all containers of the pod where leadership is lost: the
// sidecar ends with status 4 then (--on-loss exit).
func TestRestartRules(t *testing.T) {
	t.Parallel()
	s := scene{t: t, Work: lab.Deploy(t, lab.Shared(t), lab.App{Edit: func(d *appsv1.Deployment) {
		pod := &d.Spec.Template.Spec
		sidecar, app := &pod.InitContainers[0], &pod.Containers[0]
		sidecar.Args = append(sidecar.Args, "--on-loss=exit")
		sidecar.RestartPolicyRules = []corev1.ContainerRestartRule{{
			Action: corev1.ContainerRestartRuleActionRestartAllContainers,
			ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{
				Operator: corev1.ContainerRestartRuleOnExitCodesOpIn, Values: []int32{4},
			},
		}}
		gate := corev1.Container{Name: "gate", Image: sidecar.Image, Args: []string{"wait", "--for=leader"}, SecurityContext: sidecar.SecurityContext}
		pod.InitContainers = append(pod.InitContainers, gate)
		conduct := app.Args[slices.Index(app.Args, "-conduct")+1]
		app.Args = []string{"-folder", "/journal", "-child", "-conduct", conduct}
	}})}
	s.leader = s.AwaitWork(takeover)
	began := time.Now()
	heal := s.Container(s.leader, lab.SidecarContainer).Cut(lab.APIServer)
	s.another()
	time.Sleep(time.Until(began.Add(40 * time.Second)))
	heal()
	s.restarted(lab.AppContainer)
	s.Verdict()
}
