//go:build linux

package lab

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// Release is a release of one of the charts in examples/helm.
type Release struct {
	// Name is the release's, Chart the chart's folder.
	Name, Chart string
	// Namespace is where it is installed.
	Namespace string

	lab    *Lab
	t      testing.TB
	binary string
	flags  []string // the values
}

// Install installs a chart in a namespace with values, as a user does. With the test the release is uninstalled, where it is still there: it may have
// objects of the cluster, which do not go with the namespace.
func (l *Lab) Install(t testing.TB, namespace, name, chart string, values map[string]any) *Release {
	t.Helper()
	r := &Release{
		Name: name, Chart: filepath.Join(harness.ModuleRoot(t), "examples", "helm", chart), Namespace: namespace, lab: l, t: t, binary: harness.Helm(t),
	}
	text, err := yaml.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(l.files(), namespace+"-"+name+"-values.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	r.flags = []string{"--values", file}
	t.Cleanup(r.end)
	r.Helm(append([]string{"install", name, r.Chart}, r.flags...)...)
	return r
}

// Upgrade upgrades the release by more settings, "key=value".
func (r *Release) Upgrade(set string) {
	r.t.Helper()
	r.Helm(append([]string{"upgrade", r.Name, r.Chart, "--set", set}, r.flags...)...)
}

// Helm runs the pinned helm as the administrator in the release's namespace, and returns what it prints. It must succeed.
func (r *Release) Helm(args ...string) string {
	r.t.Helper()
	out, code := harness.RunCommandWith(r.t, r.env(), r.binary, r.args(args)...)
	if code != 0 {
		r.t.Fatalf("helm %s: status %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

func (r *Release) args(args []string) []string {
	return append(args, "--kubeconfig", r.lab.kubeconfig, "--namespace", r.Namespace)
}

// env gives helm folders of the run's own.
func (r *Release) env() []string {
	home := filepath.Join(r.lab.files(), "helm")
	return []string{"HELM_CACHE_HOME=" + home, "HELM_CONFIG_HOME=" + home, "HELM_DATA_HOME=" + home}
}

// end uninstalls the release.
func (r *Release) end() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.t.Context()), lateBound)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.binary, r.args([]string{"uninstall", r.Name, "--ignore-not-found"})...)
	cmd.Env = append(os.Environ(), r.env()...)
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Errorf("helm uninstall %s: %v\n%s", r.Name, err, out)
	}
}

// ProgramValues are values of the chart leader-web by which the program of test/workload/program, with these arguments, takes the place of the
// shell script. It reads the signal directory, holds the run lock while it works, and keeps a journal in the volume of [Open].
func ProgramValues(args ...string) map[string]any {
	repository, tag, _ := strings.Cut(images.Workload, ":")
	return map[string]any{
		"fullnameOverride": AppName,
		"image":            map[string]any{"repository": repository, "tag": tag},
		"args":             append([]string{"-folder", "/journal", "-follow", "file", "-signal-dir", "/var/run/lease-sidecar", "-shows", "lock", "-conduct", "{}"}, args...),
		"env": []any{map[string]any{
			"name": "POD_NAME", "valueFrom": map[string]any{"fieldRef": map[string]any{"fieldPath": "metadata.name"}},
		}},
		"podLabels":    map[string]any{"app": AppName}, // as in the manifest
		"volumes":      []any{map[string]any{"name": journals, "persistentVolumeClaim": map[string]any{"claimName": journals}}},
		"volumeMounts": []any{map[string]any{"name": journals, "mountPath": "/journal", "subPathExpr": "$(POD_NAME)"}},
		"leaseSidecar": map[string]any{"prefix": "acme"},
	}
}
