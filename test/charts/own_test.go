//go:build linux

package charts

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// block is a piece of a chart in the README of the library: what it is, and its lines, indented by three.
var block = regexp.MustCompile("(?ms)^   ```(?:yaml|gotemplate) ([^\n]+)\n(.*?)^   ```$")

// TestOwnChart follows the library's README: it lets helm create a chart, puts the README's pieces into it, and renders it.
func TestOwnChart(t *testing.T) {
	pieces := map[string]string{}
	for _, m := range block.FindAllStringSubmatch(readFile(t, filepath.Join(chartDir(t, library), "README.md")), -1) {
		pieces[m[1]] = strings.ReplaceAll(strings.TrimPrefix(m[2], "   "), "\n   ", "\n")
	}
	for name, helm := range helms(t) {
		dir := filepath.Join(t.TempDir(), "mychart")
		if out, code := run(t, helm, "create", dir); code != 0 {
			t.Fatalf("%s create: status %d\n%s", name, code, out)
		}
		edit := func(path string, change func(string) string) {
			t.Helper()
			path = filepath.Join(dir, path)
			before, err := os.ReadFile(path)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			after := change(string(before))
			if after == string(before) {
				t.Fatalf("%s: the chart that helm creates has no place for the README's piece in %s:\n%s", name, path, before)
			}
			if err := os.WriteFile(path, []byte(after), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		edit("Chart.yaml", func(s string) string {
			return s + strings.Replace(pieces["chart"], "file://../lease-sidecar", "file://"+chartDir(t, library), 1)
		})
		for _, file := range []string{"templates/_helpers.tpl", "templates/lease-sidecar.yaml"} {
			edit(file, func(s string) string { return s + pieces[file] })
		}
		edit("templates/serviceaccount.yaml", func(string) string { return "" }) // the README: remove your own
		edit("templates/deployment.yaml", func(s string) string {
			s = regexp.MustCompile(`(?m)^      serviceAccountName: .*\n`).ReplaceAllLiteralString(s, pieces["pod"])
			return regexp.MustCompile(`(?m)^          imagePullPolicy: .*\n`).ReplaceAllStringFunc(s, func(line string) string { return line + pieces["container"] })
		})
		for _, command := range [][]string{{"dependency", "build", dir}, {"lint", "--strict", kubernetes, dir}} {
			if out, code := run(t, helm, command...); code != 0 {
				t.Fatalf("%s %s: status %d\n%s", name, strings.Join(command, " "), code, out)
			}
		}
		out, code := run(t, helm, "template", "web", dir, kubernetes, "--set", "leaseSidecar.prefix=acme")
		if code != 0 {
			t.Fatalf("%s template: status %d\n%s", name, code, out)
		}
		all := objects(t, out)
		pod := only[appsv1.Deployment](t, all, "Deployment").Spec.Template.Spec
		if len(pod.InitContainers) != 1 || !slices.Contains(pod.InitContainers[0].Args, "--prefix=acme") {
			t.Fatalf("%s: the pod has no sidecar of the product: %+v", name, pod.InitContainers)
		}
		checkToken(t, pod, "lease-sidecar")
		checkVolumes(t, pod, nil)
		if account := only[corev1.ServiceAccount](t, all, "ServiceAccount").Name; pod.ServiceAccountName != account {
			t.Errorf("%s: the pod runs as %q, the chart makes %q", name, pod.ServiceAccountName, account)
		}

		edit("Chart.yaml", func(s string) string { return strings.Replace(s, "    alias: leaseSidecar\n", "", 1) })
		out, code = run(t, helm, "template", "web", dir, kubernetes)
		if want := "give the dependency lease-sidecar in Chart.yaml the line alias: leaseSidecar"; code == 0 || !strings.Contains(out, want) {
			t.Errorf("%s without the alias: status %d, want %q in\n%s", name, code, want, out)
		}
	}
}

// TestWithoutLink does what leader-web's README says for a checkout without links: the library is copied by "helm dependency build".
func TestWithoutLink(t *testing.T) {
	for name, helm := range helms(t) {
		dir := t.TempDir()
		for _, chart := range []string{library, "leader-web"} {
			if err := os.CopyFS(filepath.Join(dir, chart), os.DirFS(chartDir(t, chart))); err != nil {
				t.Fatal(err)
			}
		}
		chart := filepath.Join(dir, "leader-web")
		if err := os.Remove(filepath.Join(chart, "charts", library)); err != nil {
			t.Fatal(err)
		}
		if out, code := run(t, helm, "dependency", "build", chart); code != 0 {
			t.Fatalf("%s dependency build: status %d\n%s", name, code, out)
		}
		if out, code := run(t, helm, "template", "web", chart, kubernetes); code != 0 || len(objects(t, out)["Lease"]) != 1 {
			t.Errorf("%s template: status %d\n%s", name, code, out)
		}
	}
}
