//go:build linux

package examples

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/yaml"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// inThePod is where the manifest mounts the signal directory.
const inThePod = "/var/run/lease-sidecar"

// manifestScript returns what the container of the manifest's Deployment runs, with dir in place of the pod's signal directory.
func manifestScript(t *testing.T, dir string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(harness.ModuleRoot(t), "examples", "kubernetes", "web.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	script := scriptOf(t, string(content))
	if strings.Count(script, inThePod) != 1 {
		t.Fatalf("the script names %s not once:\n%s", inThePod, script)
	}
	return strings.Replace(script, inThePod, dir, 1)
}

// chartScript returns what the container of the chart's Deployment runs, with dir for the signal directory.
func chartScript(t *testing.T, dir string) string {
	t.Helper()
	chart := filepath.Join(harness.ModuleRoot(t), "examples", "helm", "leader-web")
	out, code := harness.RunCommand(t, harness.Helm(t), "template", "web", chart, "--set", "leaseSidecar.signalDir="+dir)
	if code != 0 {
		t.Fatalf("helm template: status %d\n%s", code, out)
	}
	return scriptOf(t, out)
}

// scriptOf returns what the one container of the Deployment runs.
func scriptOf(t *testing.T, manifest string) string {
	t.Helper()
	var d appsv1.Deployment
	for object := range strings.SplitSeq(manifest, "\n---\n") {
		if strings.Contains(object, "kind: Deployment\n") {
			if err := yaml.UnmarshalStrict([]byte(object), &d); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(d.Spec.Template.Spec.Containers) != 1 || len(d.Spec.Template.Spec.Containers[0].Args) != 1 {
		t.Fatalf("no Deployment has a container with a script:\n%s", manifest)
	}
	return d.Spec.Template.Spec.Containers[0].Args[0]
}

// TestManifestScript runs the script of the manifest beside two sidecars: it works where the replica leads, stops when it does not,
// the sidecar sees it work and end, and it obeys SIGTERM.
func TestManifestScript(t *testing.T) {
	t.Parallel()
	root := harness.LocalRoot(t)
	var replicas []*harness.Local
	scripts := map[*harness.Local]*harness.Process{}
	for i := range 2 {
		r := harness.NewLocal(t, root, fmt.Sprintf("replica-%c", 'a'+i), "--lease-duration", leaseDuration.String())
		r.Start()
		r.AwaitLog("for=http-address")
		replicas = append(replicas, r)
		scripts[r] = harness.Launch(t, "web", filepath.Join(r.Dir, "web.log"), lookUp(t, "sh"), []string{"-c", manifestScript(t, r.SignalDir())}, os.Environ())
	}
	awaitWork := func(not *harness.Local) (working *harness.Local) {
		t.Helper()
		eventually(t, "the script of a replica works with the token of its term", func() bool {
			for _, r := range replicas {
				if s := r.Leadership(); r != not && s.IsLeader && strings.Contains(scripts[r].Log(), "works with token "+s.Token+"\n") {
					working = r
				}
			}
			return working != nil
		})
		return working
	}

	first := awaitWork(nil)
	first.StepDown()
	second := awaitWork(first)
	eventually(t, "the script of the old leader stands by", func() bool { return strings.HasSuffix(scripts[first].Log(), "stands by\n") })

	second.AwaitLog("reason=RunLockHeld")
	if err := scripts[second].Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	second.AwaitLog("reason=WorkloadEnded")
	awaitWork(second)

	scripts[first].Stop(10 * time.Second)
	if !strings.HasSuffix(scripts[first].Log(), "stops\n") || scripts[first].ExitCode() != 0 {
		t.Errorf("SIGTERM: status %d, want 0 and that it stops:\n%s", scripts[first].ExitCode(), scripts[first].Tail(5))
	}
}
