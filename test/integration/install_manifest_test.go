//go:build linux

package integration

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestManifests applies each file of examples/manifests as it stands, where the strictest Pod Security standard is enforced. The API
// server admits the pod. Its sidecar, with the arguments of the file and the token of its account, elects by the Lease of the file. Its
// program works then, with the shell of the image, and the Lease is released at the end.
func TestManifests(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(harness.ModuleRoot(t), "examples", "manifests", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	workloads := 0
	for _, path := range files {
		m := readManifest(t, path)
		if m.kind != "" {
			workloads++
		}
		t.Run(m.file, func(t *testing.T) {
			t.Parallel()
			checkManifest(t, m, "-f", path)
		})
	}
	if workloads < 10 {
		t.Errorf("%d files have a workload, want ten at least", workloads)
	}
}

// checkManifest applies what a manifest has, by the arguments for kubectl apply, and elects by it.
func checkManifest(t *testing.T, m manifest, apply ...string) {
	c := harness.Shared(t)
	ns := c.Namespace(t, restricted)
	out, code := harness.RunCommand(t, harness.Kubectl(t), append([]string{"--kubeconfig", c.AdminKubeconfig(t), "-n", ns, "apply"}, apply...)...)
	if code != 0 {
		t.Fatalf("kubectl apply: status %d\n%s", code, out)
	}
	if m.kind == "" {
		return
	}
	pod := m.pod()
	created, err := c.Admin.CoreV1().Pods(ns).Create(t.Context(), pod.DeepCopy(), metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("the pod is not admitted: %v", err)
	}
	sidecar, args, app := m.sidecar(t)
	checkSidecar(t, m, sidecar)

	e := &harness.Election{
		Cluster: c, Namespace: ns, Prefix: "acme", Workload: m.lease.Annotations[naming.AnnotationWorkload],
		Lease: m.lease.Name, Duration: mixedDuration, Access: c.AccessOf(t, ns, m.template.Spec.ServiceAccountName),
	}
	s := e.Prepare(t, created.Name)
	s.UID = string(created.UID)
	named := []string{"name", "--prefix", e.Prefix, "--workload", e.Workload}
	for _, v := range sidecar.Env {
		if v.Name == "LEASE_SIDECAR_LEASE_NAME" {
			named = append(named, "--lease-name", v.Value)
		}
		if v.Value != "" {
			s.Env = append(s.Env, v.Name+"="+v.Value)
		}
	}
	if name, code := s.Ask(t, named...); code != 0 || strings.TrimSpace(name) != e.Lease {
		t.Errorf("the file ships the Lease %s; lease-sidecar %q prints %s", e.Lease, named, name)
	}
	if diff := cmp.Diff(harness.DocumentedRules(e.Lease), m.role.Rules); diff != "" {
		t.Errorf("the Role (-documented +manifest):\n%s", diff)
	}
	if slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "--label=") }) {
		for _, file := range []string{"role.yaml", "policy.yaml", "service.yaml"} {
			applyExample(t, e, file)
		}
	}
	runManifest(t, e, s, m, pod, args, app)
}

// checkSidecar checks what the API server does not: probes, resources, the downward API, and that the token is the sidecar's alone.
func checkSidecar(t *testing.T, m manifest, sidecar corev1.Container) {
	t.Helper()
	for path, probe := range map[string]*corev1.Probe{"/startupz": sidecar.StartupProbe, "/readyz": sidecar.ReadinessProbe, "/livez": sidecar.LivenessProbe} {
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != path || probe.HTTPGet.Port.IntValue() != 4041 {
			t.Errorf("the sidecar's probe of %s is %+v", path, probe)
		}
	}
	if native := harness.Native(sidecar); native != harness.LeavesAtPreStop(sidecar) {
		t.Errorf("the sidecar is native: %v, and its lifecycle is %+v; a native one, which gets SIGTERM last, wants a preStop hook that runs leave", native, sidecar.Lifecycle)
	}
	if r := sidecar.Resources; r.Requests.Cpu().IsZero() || r.Requests.Memory().IsZero() || r.Limits.Memory().IsZero() || !r.Limits.Cpu().IsZero() {
		t.Errorf("the sidecar's resources are %+v, want requests, and a limit of the memory alone", r)
	}
	var fields []string
	for _, e := range sidecar.Env {
		if e.ValueFrom != nil && e.ValueFrom.FieldRef != nil {
			fields = append(fields, e.Name)
		}
	}
	if diff := cmp.Diff([]string{"POD_NAME", "POD_UID", "POD_NAMESPACE"}, fields); diff != "" {
		t.Errorf("the sidecar's environment (-want +got):\n%s", diff)
	}
	for _, c := range slices.Concat(m.template.Spec.InitContainers, m.template.Spec.Containers) {
		hasToken := slices.ContainsFunc(c.VolumeMounts, func(v corev1.VolumeMount) bool { return v.MountPath == podToken })
		if hasToken != (c.Name == sidecar.Name) {
			t.Errorf("container %s has the token: %v", c.Name, hasToken)
		}
		if root := c.SecurityContext.ReadOnlyRootFilesystem; root == nil || !*root {
			t.Errorf("container %s can write to its root", c.Name)
		}
	}
	if auto := m.template.Spec.AutomountServiceAccountToken; auto == nil || *auto {
		t.Error("the token is mounted into every container")
	}
}

// showsWork are the lines of the examples' programs that say so of the term.
var showsWork = regexp.MustCompile(`(?m)(with token \S+|^elected)$`)

// runManifest runs the pod's two programs as processes, with folders of the test in the place of the pod's.
func runManifest(t *testing.T, e *harness.Election, s *harness.Sidecar, m manifest, pod *corev1.Pod, args []string, app corev1.Container) {
	t.Helper()
	dir, worker := t.TempDir(), "w"+strings.TrimPrefix(e.Namespace, "test-") // a name that no other process of the machine has
	web := freeAddress(t)
	inTest := strings.NewReplacer(podSignalDir, s.Dir, "/www", dir, "--process-name=worker", "--process-name="+worker, "httpd -f -p 8080", "/bin/busybox httpd -f -p "+web)
	replaced := func(texts []string) (all []string) {
		for _, text := range texts {
			all = append(all, inTest.Replace(text))
		}
		return all
	}
	s.Args = replaced(args)
	s.Env = append(s.Env,
		"LEASE_SIDECAR_HTTP_ADDRESS="+s.HTTP, "LEASE_SIDECAR_PROBE_ADDRESS="+s.Probe,
		"LEASE_SIDECAR_LEASE_DURATION="+e.Duration.String(), "LEASE_SIDECAR_LOG_FORMAT=json")
	if slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.DownwardAPI != nil }) {
		var labels strings.Builder
		for key, value := range pod.Labels {
			fmt.Fprintf(&labels, "%s=%q\n", key, value)
		}
		file := filepath.Join(dir, "labels")
		if err := os.WriteFile(file, []byte(labels.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		s.Env = append(s.Env, "LEASE_SIDECAR_LABELS_FILE="+file)
	}
	s.Start(t, e)

	program := s.Process // in child mode
	if !slices.Contains(args, "--") {
		harness.Eventually(t, slack, "the sidecar has started", func() bool { return s.ProbeStatus("/startupz") == 200 })
		program = launchScript(t, dir, worker, m, replaced(slices.Concat(app.Command, app.Args)))
	}
	harness.Eventually(t, 2*e.Duration+slack, "the program works in the term of the Lease", func() bool {
		return showsWork.MatchString(program.Log()) && e.Holder(t) == s.Pod+"_"+s.UID && s.ProbeStatus("/readyz") == 200
	})
	if strings.Contains(strings.Join(app.Args, "\n"), "run.lock") {
		harness.Eventually(t, slack, "the sidecar sees the run lock", func() bool { return strings.Contains(s.Log(), "RunLockHeld") })
	}
	if len(app.Ports) > 0 {
		harness.Eventually(t, slack, "the program of the leader answers", func() bool { return strings.HasPrefix(get(web), s.Pod+" leads with token ") })
	}
	switch {
	case program == s.Process:
	case pod.Spec.RestartPolicy == corev1.RestartPolicyNever:
		program.AwaitExit(t, 30*time.Second, 0)
	default:
		program.Terminate(t)
	}
	s.Terminate(t)
	if holder := e.Holder(t); holder != "" {
		t.Errorf("after the end the Lease is held by %q", holder)
	}
}

// freeAddress returns an address of this machine on which nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// get returns what a web server answers, "" where it does not.
func get(address string) string {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + address + "/")
	if err != nil {
		return ""
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return ""
	}
	return string(body)
}

// launchScript starts the program of a container with the shell of the examples' image: a script in the arguments, or in a ConfigMap.
func launchScript(t *testing.T, dir, worker string, m manifest, command []string) *harness.Process {
	t.Helper()
	binary, args := "/bin/busybox", command
	if script, ok := m.scripts[filepath.Base(command[0])]; ok {
		binary, args = filepath.Join(dir, worker), nil
		if err := os.WriteFile(binary, []byte(strings.Replace(script, "#!/bin/sh", "#!/bin/busybox sh", 1)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return harness.Launch(t, m.file, filepath.Join(dir, "app.log"), binary, args, []string{"PATH=" + os.Getenv("PATH")})
}

// readmePod is the pod that the README shows: a block of YAML that begins with the spec.
var readmePod = regexp.MustCompile("(?ms)^```yaml\n(spec:.*?)^```$")

// TestReadmePodIsAdmitted: the strictest Pod Security standard admits the pod of the README.
func TestReadmePodIsAdmitted(t *testing.T) {
	t.Parallel()
	c := harness.Shared(t)
	ns := c.Namespace(t, restricted)
	c.Grant(t, ns, "web")
	readme, err := os.ReadFile(filepath.Join(harness.ModuleRoot(t), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	shown := readmePod.FindSubmatch(readme)
	if shown == nil {
		t.Fatal("the README shows no pod")
	}
	var template corev1.PodTemplateSpec
	if err := yaml.UnmarshalStrict(shown[1], &template); err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{GenerateName: "web-"}, Spec: template.Spec}
	if _, err := c.Admin.CoreV1().Pods(ns).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Errorf("the pod of the README is not admitted: %v", err)
	}
}
