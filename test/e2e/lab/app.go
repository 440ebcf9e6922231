//go:build linux

package lab

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// App is a workload with sidecars: examples/manifests/web.yaml, in which the program of test/workload/program takes the place of the
// shell script. The program reads the signal directory, holds the run lock while it works, and keeps a journal.
type App struct {
	// Replicas is how many pods there are; 0 for the example's three.
	Replicas int32
	// Mode is how the sidecar is put into the pod; "" for native.
	Mode Mode
	// Conduct is what the program does at the end of its work; nil stops at once.
	Conduct harness.Conduct
	// Edit changes the Deployment at the end; nil for nothing.
	Edit func(*appsv1.Deployment)
	// As makes another object of the Deployment; nil for none.
	As func(*appsv1.Deployment) any
}

// The names of the example.
const (
	AppName          = "web"
	AppContainer     = "web"
	SidecarContainer = "lease-sidecar"
)

// Restricted are the labels of a namespace to which only pods are admitted that keep the strictest Pod Security standard.
func Restricted() map[string]string {
	return map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}
}

// Open makes a namespace with the strictest Pod Security standard, and a volume there in which programs keep journals, and begins to
// watch. What the test deploys there is gone with the test.
func Open(t testing.TB, l *Lab) *Work {
	t.Helper()
	w := &Work{Lab: l, Namespace: l.Namespace(t, Restricted()), t: t}
	w.dir = filepath.Join(l.dir, journals, w.Namespace)
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(w.dir, 0o777); err != nil { // the programs are not root
		t.Fatal(err)
	}
	l.volume(t, w.Namespace, w.dir)
	w.watch()
	t.Cleanup(w.end)
	return w
}

// Deploy deploys the workload in a namespace of its own.
func Deploy(t testing.TB, l *Lab, app App) *Work {
	t.Helper()
	w := Open(t, l)
	conduct := app.Conduct
	if conduct == nil {
		conduct = harness.Conduct{}
	}
	text, err := json.Marshal(conduct)
	if err != nil {
		t.Fatal(err)
	}
	manifest := Example(t, "examples/manifests/web.yaml", func(d *appsv1.Deployment) any {
		if app.Replicas > 0 {
			d.Spec.Replicas = &app.Replicas
		}
		useProgram(&d.Spec.Template.Spec, string(text))
		app.Mode.arrange(&d.Spec.Template.Spec)
		if app.Edit != nil {
			app.Edit(d)
		}
		if app.As != nil {
			return app.As(d)
		}
		return d
	})
	w.Apply(manifest)
	return w
}

// Example reads a manifest of the repository, and puts what edit makes of its Deployment in its place.
func Example(t testing.TB, path string, edit func(*appsv1.Deployment) any) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(harness.ModuleRoot(t), path))
	if err != nil {
		t.Fatal(err)
	}
	documents := strings.Split(string(text), "\n---\n")
	for i, document := range documents {
		if !strings.Contains(document, "\nkind: Deployment\n") {
			continue
		}
		var d appsv1.Deployment
		if err := yaml.UnmarshalStrict([]byte(document), &d); err != nil {
			t.Fatalf("read %s: %v", path, err)
		}
		changed, err := yaml.Marshal(edit(&d))
		if err != nil {
			t.Fatal(err)
		}
		documents[i] = string(changed)
	}
	return strings.Join(documents, "\n---\n")
}

// Apply applies a manifest in the workload's namespace.
func (w *Work) Apply(manifest string) {
	w.t.Helper()
	path := filepath.Join(w.files(), w.Namespace+".yaml") // kubectl takes a comma in a path, as tests' names give, for the end of it
	if err := os.WriteFile(path, []byte(manifest), 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.Kubectl("apply", "-f", path)
}

// endBound is how long the pods of a test may take to go; those of the next wait for nothing.
const endBound = 40 * time.Second

// end shows what there is to see where the test has failed, and removes the workload.
func (w *Work) end() {
	w.stopWatching()
	if w.t.Failed() {
		for _, args := range [][]string{
			{"get", "pods", "-o", "wide"},
			{"get", "events", "--sort-by=.metadata.creationTimestamp"},
			{"logs", "-l", "app=" + AppName, "-c", SidecarContainer, "--tail=40", "--prefix"},
		} {
			out := w.LateKubectl(w.t, w.Namespace, args...)
			lines := strings.Split(strings.TrimSpace(out), "\n")
			w.t.Logf("kubectl %s:\n%s", strings.Join(args, " "), strings.Join(lines[max(0, len(lines)-60):], "\n"))
		}
	}
	w.LateKubectl(w.t, w.Namespace, "delete", "deployment,statefulset,daemonset,cronjob,job,pod", "--all", "--grace-period=1", fmt.Sprintf("--timeout=%v", endBound))
	w.LateKubectl(w.t, w.Namespace, "delete", "namespace", w.Namespace, "--wait=false")
}
