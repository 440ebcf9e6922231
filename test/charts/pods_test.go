//go:build linux

package charts

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestPods renders every mode of every chart, and looks at who has what: the sidecar, the program, the volumes.
func TestPods(t *testing.T) {
	for _, tc := range []struct {
		name, chart, mode string
		set               string
		runs              string // the container in which the sidecar runs
		binary            string // what brings the binary in child mode
	}{
		{name: "native", chart: "leader-web", mode: "native", runs: "lease-sidecar"},
		{name: "classic", chart: "leader-web", mode: "classic", runs: "lease-sidecar"},
		{name: "process signals", chart: "leader-web", mode: "native", runs: "lease-sidecar", set: "leaseSidecar.process.name=web"},
		{name: "hostNetwork", chart: "leader-web", mode: "native", runs: "lease-sidecar", set: "hostNetwork=true"},
		{name: "child", chart: "leader-child", mode: "child", runs: "app", binary: "an init container"},
		{name: "child by image volume", chart: "leader-child", mode: "child", runs: "app", binary: "an image volume", set: "leaseSidecar.imageVolume=true"},
		{name: "statefulset", chart: "leader-stateful", mode: "native", runs: "lease-sidecar"},
		{name: "statefulset, classic", chart: "leader-stateful", mode: "classic", runs: "lease-sidecar", set: "persistence.enabled=true"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			all := objects(t, render(t, chartDir(t, tc.chart), "--set", "leaseSidecar.mode="+tc.mode+","+tc.set))
			var pod corev1.PodTemplateSpec
			var claims []corev1.PersistentVolumeClaim
			if tc.chart == "leader-stateful" {
				s := only[appsv1.StatefulSet](t, all, "StatefulSet")
				pod, claims = s.Spec.Template, s.Spec.VolumeClaimTemplates
			} else {
				pod = only[appsv1.Deployment](t, all, "Deployment").Spec.Template
			}
			checkToken(t, pod.Spec, tc.runs)
			checkVolumes(t, pod.Spec, claims)
			checkPlacement(t, pod.Spec, tc.mode, tc.binary)
			if got, want := pod.Spec.ShareProcessNamespace != nil, strings.Contains(tc.set, "process"); got != want {
				t.Errorf("the pod shares its pid namespace: %v, want %v", got, want)
			}
			if grace := pod.Spec.TerminationGracePeriodSeconds; grace == nil || *grace != 45 {
				t.Errorf("the grace period is %v, want 45", grace)
			}
			role := only[rbacv1.Role](t, all, "Role")
			if want := harness.DocumentedRules(only[coordinationv1.Lease](t, all, "Lease").Name); role.Rules[0].ResourceNames[0] != want[0].ResourceNames[0] || !slices.Equal(role.Rules[0].Verbs, want[0].Verbs) {
				t.Errorf("the Role allows %+v, want %+v", role.Rules[0], want[0])
			}
		})
	}
}

func containersOf(spec corev1.PodSpec) []corev1.Container {
	return slices.Concat(spec.InitContainers, spec.Containers)
}

// checkToken: the token is mounted into one container, the one in which the sidecar runs.
func checkToken(t *testing.T, spec corev1.PodSpec, runs string) {
	t.Helper()
	if spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken {
		t.Error("the token is mounted into every container")
	}
	for _, c := range containersOf(spec) {
		has := slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == "/var/run/secrets/kubernetes.io/serviceaccount" })
		if has != (c.Name == runs) {
			t.Errorf("container %s has the token: %v", c.Name, has)
		}
		for _, m := range c.VolumeMounts {
			if writes := c.Name == runs; m.Name == "lease-signal" && (m.ReadOnly == writes || m.SubPath != "") {
				t.Errorf("container %s mounts the signal directory with readOnly %v and subPath %q", c.Name, m.ReadOnly, m.SubPath)
			}
		}
	}
}

// checkVolumes: each mount has its volume, and each volume a mount.
func checkVolumes(t *testing.T, spec corev1.PodSpec, claims []corev1.PersistentVolumeClaim) {
	t.Helper()
	mounted := map[string]bool{}
	for _, c := range containersOf(spec) {
		for _, m := range c.VolumeMounts {
			mounted[m.Name] = true
		}
	}
	for _, claim := range claims {
		if !mounted[claim.Name] {
			t.Errorf("nothing mounts the claim %s", claim.Name)
		}
		delete(mounted, claim.Name)
	}
	for _, v := range spec.Volumes {
		if !mounted[v.Name] {
			t.Errorf("nothing mounts the volume %s", v.Name)
		}
		delete(mounted, v.Name)
	}
	if len(mounted) > 0 {
		t.Errorf("there are no volumes %v", mounted)
	}
}

// checkPlacement: where the sidecar is, and what its container begins with in child mode.
func checkPlacement(t *testing.T, spec corev1.PodSpec, mode, binary string) {
	t.Helper()
	app := spec.Containers[len(spec.Containers)-1]
	init := spec.InitContainers
	always := len(init) == 1 && harness.Native(init[0])
	byImage := slices.ContainsFunc(spec.Volumes, func(v corev1.Volume) bool { return v.Name == "lease-binary" && v.Image != nil })
	switch mode {
	case "native":
		if !always || len(spec.Containers) != 1 {
			t.Errorf("want one init container that restarts always, and one container: %d and %d", len(init), len(spec.Containers))
		}
		if !harness.LeavesAtPreStop(init[0]) {
			t.Errorf("the sidecar's lifecycle is %+v, want a preStop hook that runs leave: it gets SIGTERM last", init[0].Lifecycle)
		}
	case "classic":
		if len(init) != 0 || len(spec.Containers) != 2 || spec.Containers[0].Name != "lease-sidecar" {
			t.Errorf("want no init container, and the sidecar before the program: %d and %d", len(init), len(spec.Containers))
		}
	case "child":
		if always || len(spec.Containers) != 1 || (len(init) == 1) != (binary == "an init container") || byImage != (binary == "an image volume") {
			t.Errorf("want the binary by %s, and one container: %d init containers, %d containers", binary, len(init), len(spec.Containers))
		}
		if n := len(app.Command); app.Command[0] != "/opt/lease-sidecar/lease-sidecar" || app.Command[1] != "run" || app.Command[n-1] != "--" || app.Args[0] != "sh" {
			t.Errorf("the program's container runs %v %v", app.Command, app.Args)
		}
		if app.ReadinessProbe == nil || app.ReadinessProbe.HTTPGet.Path != "/readyz" {
			t.Errorf("the program's readiness probe is %+v, want the sidecar's: a standby runs no program", app.ReadinessProbe)
		}
		if app.StartupProbe == nil || app.LivenessProbe == nil || !slices.ContainsFunc(app.Ports, func(p corev1.ContainerPort) bool { return p.Name == "lease-probe" }) {
			t.Error("the program's container lacks a probe or its port")
		}
	}
}

// TestHelmTest: the pod of "helm test" passes where Pod Security is restricted, has no token, and asks the Service at the probes' port.
func TestHelmTest(t *testing.T) {
	all := objects(t, render(t, chartDir(t, "leader-web"), "--set", "leaseSidecar.probePort=5041"))
	pod := only[corev1.Pod](t, all, "Pod")
	if pod.Annotations["helm.sh/hook"] != "test" || pod.Spec.AutomountServiceAccountToken == nil || *pod.Spec.AutomountServiceAccountToken {
		t.Errorf("the pod is no test, or has a token: %+v", pod)
	}
	service := only[corev1.Service](t, all, "Service")
	want := "--http-address=$(" + strings.ReplaceAll(strings.ToUpper(service.Name), "-", "_") + "_SERVICE_HOST):5041"
	if args := pod.Spec.Containers[0].Args; !slices.Contains(args, want) {
		t.Errorf("the test runs %v, want %s", args, want)
	}
	if !slices.ContainsFunc(service.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == 5041 }) {
		t.Errorf("the Service has the ports %+v, want 5041", service.Spec.Ports)
	}
}
