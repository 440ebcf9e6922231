//go:build linux

package e2e

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/lease-sidecar/lease-sidecar/test/e2e/lab"
)

const (
	// leaseDuration is that of the examples.
	leaseDuration = 15 * time.Second
	// slack is what a machine may need that does much else: for images, pods, probes.
	slack = 90 * time.Second
)

// TestSmallAndStrict runs the image with a read-only root, no capabilities and at most 16 Mi, and asks the kernel what it has.
func TestSmallAndStrict(t *testing.T) {
	t.Parallel()
	w := lab.Deploy(t, lab.Shared(t), lab.App{Edit: limitMemory})
	w.AwaitReady(slack, 3)
	leader := w.AwaitWork(leaseDuration + slack)
	for _, p := range w.Pods() {
		c := w.Container(p.Name, lab.SidecarContainer)
		status, err := os.ReadFile("/proc/" + strconv.Itoa(c.PID) + "/status")
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"Uid:\t65532\t65532", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"} {
			if !strings.Contains(string(status), want) {
				t.Errorf("the sidecar of %s does not have %q", p.Name, want)
			}
		}
		if err := os.WriteFile("/proc/"+strconv.Itoa(c.PID)+"/root/written", nil, 0o600); err == nil {
			t.Error("the sidecar's root can be written to")
		}
		set, limit := c.Memory()
		role := "standby"
		if p.Name == leader {
			role = "leader"
		}
		t.Logf("figure: the sidecar of a %s has a working set of %.1f MiB, of %d MiB", role, float64(set)/(1<<20), limit>>20)
		if limit != 16<<20 {
			t.Errorf("the limit is %d", limit)
		}
		for _, s := range p.Status.InitContainerStatuses {
			if s.RestartCount > 0 {
				t.Errorf("the sidecar of %s has restarted: %+v", p.Name, s.LastTerminationState)
			}
		}
	}
	w.Verdict()
}

// limitMemory gives the sidecars 16 Mi.
func limitMemory(d *appsv1.Deployment) {
	d.Spec.Template.Spec.InitContainers[0].Resources = corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("16Mi")},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("16Mi")},
	}
}
