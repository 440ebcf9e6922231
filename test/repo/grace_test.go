package repo

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// defaultGrace is Kubernetes' default of terminationGracePeriodSeconds.
const defaultGrace = 30 * time.Second

// TestGraceExceedsTheStopTimeout: each pod with a sidecar, in documents and examples, has a grace period that is greater than
// the sidecar's stop timeout. Otherwise the kubelet kills the pod before the Lease is released. A default counts like a value.
// The charts refuse it themselves (charts.TestRefusals).
func TestGraceExceedsTheStopTimeout(t *testing.T) {
	standard, pods := stopTimeoutDefault(t), 0
	look := func(file string, pieces []string) {
		for _, piece := range pieces {
			spec, ok := podOf(piece)
			if !ok {
				continue
			}
			pods++
			if err := graceFault(spec, standard); err != nil {
				t.Errorf("%s: %v, in\n%s", file, err, piece)
			}
		}
	}
	for _, file := range tree(t, ".md") {
		look(file, manifests(read(t, file)))
	}
	for _, file := range tree(t, ".yaml") {
		if !strings.Contains(file, "helm") { // templates
			look(file, objects(read(t, file)))
		}
	}
	if pods < 5 { // README, two pages, the classic sidecar's, the example
		t.Errorf("%d pods with a sidecar: has the way to recognize one changed?", pods)
	}
}

func TestGraceFault(t *testing.T) {
	const sidecar = "spec:\n  containers:\n  - image: x/lease-sidecar:1\n    args: [run"
	for name, tc := range map[string]struct{ manifest, want string }{
		"both defaults":            {sidecar + "]\n", "grace period 30s"},
		"a longer grace period":    {sidecar + "]\n  terminationGracePeriodSeconds: 31\n", ""},
		"equal":                    {sidecar + ", --stop-timeout=1m]\n  terminationGracePeriodSeconds: 60\n", "stop timeout 1m0s"},
		"a shorter stop timeout":   {sidecar + ", --stop-timeout, 20s]\n", ""},
		"by the environment":       {sidecar + "]\n    env: [{name: LEASE_SIDECAR_STOP_TIMEOUT, value: 20s}]\n", ""},
		"no duration":              {sidecar + ", --stop-timeout=long]\n", "invalid duration"},
		"a Deployment":             {"kind: Deployment\nspec:\n  template:\n    spec:\n      containers:\n      - command: [/shared/lease-sidecar, run]\n", "grace period 30s"},
		"an init container's copy": {"spec:\n  initContainers:\n  - image: x/lease-sidecar:1\n    args: [install, /shared]\n", "no sidecar"},
		"no sidecar":               {"spec:\n  containers:\n  - image: busybox\n", "no sidecar"},
	} {
		t.Run(name, func(t *testing.T) {
			got := "no sidecar"
			if spec, ok := podOf(tc.manifest); ok {
				got = ""
				if err := graceFault(spec, 30*time.Second); err != nil {
					got = err.Error()
				}
			}
			if tc.want == "" && got != "" || !strings.Contains(got, tc.want) {
				t.Errorf("fault %q, want %q", got, tc.want)
			}
		})
	}
}

// stopTimeoutDefault is that of the generated reference.
func stopTimeoutDefault(t *testing.T) time.Duration {
	t.Helper()
	m := regexp.MustCompile("(?m)^\\| `--stop-timeout TIME` \\|.*\\| (\\S+) \\| `LEASE_SIDECAR_STOP_TIMEOUT` \\|$").FindStringSubmatch(
		read(t, filepath.Join(top, "docs", "reference", "cli.md")))
	if m == nil {
		t.Fatal("the reference has no default of --stop-timeout")
	}
	d, err := time.ParseDuration(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// podOf returns the pod that a manifest or a piece of one has, and false where that pod has no sidecar.
func podOf(manifest string) (corev1.PodSpec, bool) {
	var of struct {
		corev1.PodSpec `json:",inline"`
		Spec           struct {
			corev1.PodSpec `json:",inline"`
			Template       struct{ Spec corev1.PodSpec }
		}
	}
	if yaml.Unmarshal([]byte(manifest), &of) != nil {
		return corev1.PodSpec{}, false // another test's fault, or no object: a list of rules
	}
	for _, spec := range []corev1.PodSpec{of.PodSpec, of.Spec.PodSpec, of.Spec.Template.Spec} {
		if len(sidecarsOf(spec)) > 0 {
			return spec, true
		}
	}
	return corev1.PodSpec{}, false
}

// sidecarsOf returns the containers that run a sidecar. One that only copies the program does not.
func sidecarsOf(spec corev1.PodSpec) []corev1.Container {
	return slices.DeleteFunc(slices.Concat(spec.InitContainers, spec.Containers), func(c corev1.Container) bool {
		program := path.Base(c.Image)
		if len(c.Command) > 0 {
			program = path.Base(c.Command[0])
		}
		return !strings.HasPrefix(program, "lease-sidecar") || len(c.Args) > 0 && c.Args[0] == "install"
	})
}

// graceFault says how the pod's grace period is too short for one of its sidecars, whose stop timeout is by default the standard one.
func graceFault(spec corev1.PodSpec, standard time.Duration) error {
	grace := defaultGrace
	if s := spec.TerminationGracePeriodSeconds; s != nil {
		grace = time.Duration(*s) * time.Second
	}
	for _, c := range sidecarsOf(spec) {
		stop, err := stopTimeoutOf(c, standard)
		if err != nil {
			return err
		}
		if grace <= stop {
			return fmt.Errorf("the grace period %s is not greater than the stop timeout %s", grace, stop)
		}
	}
	return nil
}

func stopTimeoutOf(c corev1.Container, standard time.Duration) (time.Duration, error) {
	given := ""
	for _, e := range c.Env {
		if e.Name == "LEASE_SIDECAR_STOP_TIMEOUT" {
			given = e.Value
		}
	}
	args := slices.Concat(c.Command, c.Args)
	for i, arg := range args {
		if value, ok := strings.CutPrefix(arg, "--stop-timeout="); ok {
			given = value
		} else if arg == "--stop-timeout" && i+1 < len(args) {
			given = args[i+1]
		}
	}
	if given == "" {
		return standard, nil
	}
	return time.ParseDuration(given)
}
