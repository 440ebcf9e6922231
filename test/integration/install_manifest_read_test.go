//go:build linux

package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// Where the pods of the examples have the signal directory, their labels, and the token.
const (
	podSignalDir = "/var/run/lease-sidecar"
	podInfo      = "/etc/podinfo"
	podToken     = "/var/run/secrets/kubernetes.io/serviceaccount"
)

// manifest is a file of examples/manifests: what it ships for one election.
type manifest struct {
	file     string
	kind     string
	template corev1.PodTemplateSpec // empty where there is no workload
	lease    coordinationv1.Lease
	role     rbacv1.Role
	scripts  map[string]string
}

// readManifest decodes a file, and accepts no kind that it does not know.
func readManifest(t *testing.T, path string) manifest {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m := manifest{file: filepath.Base(path)}
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		object, _, err := scheme.Codecs.UniversalDeserializer().Decode([]byte(document), nil, nil)
		if err != nil {
			t.Fatalf("%s: %v in\n%s", path, err, document)
		}
		m.take(t, object)
	}
	return m
}

func (m *manifest) take(t *testing.T, object runtime.Object) {
	t.Helper()
	kind := object.GetObjectKind().GroupVersionKind().Kind
	switch o := object.(type) {
	case *appsv1.Deployment:
		m.kind, m.template = kind, o.Spec.Template
	case *appsv1.StatefulSet:
		m.kind, m.template = kind, o.Spec.Template
	case *appsv1.DaemonSet:
		m.kind, m.template = kind, o.Spec.Template
	case *batchv1.Job:
		m.kind, m.template = kind, o.Spec.Template
	case *batchv1.CronJob:
		m.kind, m.template = kind, o.Spec.JobTemplate.Spec.Template
	case *coordinationv1.Lease:
		m.lease = *o
	case *rbacv1.Role:
		m.role = *o
	case *corev1.ConfigMap:
		m.scripts = o.Data
	default:
		if !slices.Contains([]string{"ServiceAccount", "RoleBinding", "ClusterRole", "Service", "NetworkPolicy", "FlowSchema", "PriorityLevelConfiguration"}, kind) {
			t.Fatalf("%s: a test for a %s is missing", m.file, kind)
		}
	}
}

// sidecar returns the container that runs the sidecar, its arguments, and the program's container, which is the same one in child mode.
func (m *manifest) sidecar(t *testing.T) (sidecar corev1.Container, args []string, app corev1.Container) {
	t.Helper()
	for _, c := range slices.Concat(m.template.Spec.InitContainers, m.template.Spec.Containers) {
		given := slices.Concat(c.Command, c.Args)
		if len(c.Command) > 0 && filepath.Base(c.Command[0]) == "lease-sidecar" {
			given = given[1:]
		}
		switch {
		case len(given) > 0 && given[0] == "run":
			sidecar, args = c, given
			if len(c.Command) > 0 {
				app = c
			}
		case len(given) == 0 || given[0] != "install":
			app = c
		}
	}
	if args == nil || app.Name == "" {
		t.Fatalf("%s: the pod has not a sidecar and a program", m.file)
	}
	return sidecar, args, app
}

// pod returns the pod that the workload's controller makes first, with its labels that name the workload.
func (m *manifest) pod() *corev1.Pod {
	name := m.lease.Annotations[naming.AnnotationWorkload]
	name = name[strings.Index(name, "/")+1:]
	pod := &corev1.Pod{ObjectMeta: *m.template.ObjectMeta.DeepCopy(), Spec: *m.template.Spec.DeepCopy()}
	pod.Name = name + "-x7k2p"
	switch m.kind {
	case "Deployment":
		pod.Name, pod.Labels["pod-template-hash"] = name+"-5d9c7f6b8-x7k2p", "5d9c7f6b8"
	case "StatefulSet":
		pod.Name, pod.Labels["statefulset.kubernetes.io/pod-name"], pod.Labels["apps.kubernetes.io/pod-index"] = name+"-0", name+"-0", "0"
		pod.Labels["controller-revision-hash"] = name + "-6c9d4b7f5"
	case "DaemonSet":
		pod.Labels["controller-revision-hash"], pod.Labels["pod-template-generation"] = "6c9d4b7f5", "1"
	case "Job":
		pod.Labels["batch.kubernetes.io/job-name"], pod.Labels["job-name"] = name, name
	case "CronJob":
		pod.Name = name + "-29402930-x7k2p"
		pod.Labels["batch.kubernetes.io/job-name"], pod.Labels["job-name"] = name+"-29402930", name+"-29402930"
	}
	return pod
}
