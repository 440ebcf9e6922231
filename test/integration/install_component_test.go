//go:build linux

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestComponent renders the kustomize Component with the Deployment of the example, and with one that has more in it and a longer name.
// The Deployment keeps what it had. What is rendered is applied on the server's side, and elects, as the files of TestManifests do.
func TestComponent(t *testing.T) {
	t.Parallel()
	examples := filepath.Join(harness.ModuleRoot(t), "examples", "manifests")
	own, err := os.ReadFile(filepath.Join(examples, "overlay", "deployment.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	more := strings.NewReplacer(
		"name: api", "name: my-web-api",
		"      containers:\n", "      volumes: [{name: cache, emptyDir: {}}]\n"+
			"      initContainers: [{name: prepare, image: busybox:1.37.0, args: [\"true\"], securityContext: {runAsNonRoot: true, runAsUser: 65532, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}}]\n"+
			"      containers:\n",
		"        image: busybox:1.37.0\n", "        image: busybox:1.37.0\n        volumeMounts: [{name: cache, mountPath: /cache}]\n        env: [{name: MODE, value: fast}]\n",
	).Replace(string(own))

	for name, deployment := range map[string]string{"the example": string(own), "more in the pod": more} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			overlay, err := os.ReadFile(filepath.Join(examples, "overlay", "kustomization.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			component, err := filepath.Rel(dir, filepath.Join(examples, "component"))
			if err != nil {
				t.Fatal(err)
			}
			for file, text := range map[string]string{
				"kustomization.yaml": strings.Replace(string(overlay), "../component", component, 1), "deployment.yaml": deployment,
			} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			rendered, code := harness.RunCommand(t, harness.Kubectl(t), "kustomize", dir)
			path := filepath.Join(t.TempDir(), "rendered.yaml")
			if err := os.WriteFile(path, []byte(rendered), 0o600); err != nil || code != 0 {
				t.Fatalf("kubectl kustomize: status %d, %v\n%s", code, err, rendered)
			}
			m := readManifest(t, path)
			checkKept(t, readManifest(t, filepath.Join(dir, "deployment.yaml")).template.Spec, m.template.Spec)
			checkManifest(t, m, "--server-side", "-k", dir)
		})
	}
}

// checkKept takes what the component adds out of a pod: the rest is what was there before.
func checkKept(t *testing.T, before, after corev1.PodSpec) {
	t.Helper()
	kept := *after.DeepCopy()
	kept.ServiceAccountName, kept.AutomountServiceAccountToken, kept.TerminationGracePeriodSeconds = "", nil, nil
	app := &kept.Containers[0]
	if n := len(app.VolumeMounts) - 1; n >= 0 && app.VolumeMounts[n].Name == "lease" && app.VolumeMounts[n].ReadOnly {
		app.VolumeMounts = app.VolumeMounts[:n]
	}
	if len(app.VolumeMounts) == 0 {
		app.VolumeMounts = nil
	}
	if len(kept.InitContainers) > 0 && kept.InitContainers[0].Name == "lease-sidecar" {
		kept.InitContainers = kept.InitContainers[1:]
	}
	if len(kept.InitContainers) == 0 {
		kept.InitContainers = nil
	}
	if len(kept.Volumes) > 1 && kept.Volumes[0].Name == "lease" && kept.Volumes[1].Name == "api-access" {
		kept.Volumes = kept.Volumes[2:]
	}
	if len(kept.Volumes) == 0 {
		kept.Volumes = nil
	}
	if diff := cmp.Diff(before, kept); diff != "" {
		t.Errorf("what the Deployment had (-before +after):\n%s", diff)
	}
}
