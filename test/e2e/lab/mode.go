//go:build linux

package lab

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Mode is how the sidecar is put into the pod.
type Mode string

// The modes: an init container that keeps running, a container beside the program's, or the program's own container, into which the
// binary is brought by a volume of the image or by an init container that copies it.
const (
	Native      Mode = "native"
	Classic     Mode = "classic"
	ChildVolume Mode = "child by an image volume"
	ChildCopy   Mode = "child by install"
)

// journals is the name of the volume in which the programs write down what they do. It outlives the pods.
const journals = "journals"

// useProgram puts the program in the place of the pod's first container.
func useProgram(pod *corev1.PodSpec, conduct string) {
	app := &pod.Containers[0]
	app.Image, app.Command = images.Workload, nil
	app.Args = []string{"-folder", "/journal", "-follow", "file", "-signal-dir", "/var/run/lease-sidecar", "-shows", "lock", "-conduct", conduct}
	app.Env = append(app.Env, corev1.EnvVar{Name: "POD_NAME", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}})
	app.VolumeMounts = append(app.VolumeMounts, corev1.VolumeMount{Name: journals, MountPath: "/journal", SubPathExpr: "$(POD_NAME)"})
	pod.Volumes = append(pod.Volumes, corev1.Volume{
		Name: journals, VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: journals}},
	})
}

// arrange changes a pod with a native sidecar into one of the mode.
func (m Mode) arrange(pod *corev1.PodSpec) {
	if m == Native || m == "" {
		return
	}
	sidecar, app := pod.InitContainers[0], &pod.Containers[0]
	pod.InitContainers = nil
	if m == Classic {
		sidecar.RestartPolicy, sidecar.Lifecycle = nil, nil
		sidecar.Args = append(sidecar.Args, "--placement=classic")
		pod.Containers = append(pod.Containers, sidecar)
		return
	}
	const folder = "/shared"
	program := []string{"/program", "-folder", "/journal", "-child", "-conduct", app.Args[len(app.Args)-1]}
	app.Command = []string{folder + "/lease-sidecar"}
	app.Args = slices.Concat(sidecar.Args, []string{"--"}, program)
	app.Env = sidecar.Env
	journal := app.VolumeMounts[len(app.VolumeMounts)-1]
	app.VolumeMounts = append(slices.Clone(sidecar.VolumeMounts), journal, corev1.VolumeMount{Name: "binary", MountPath: folder, ReadOnly: true})
	app.StartupProbe, app.ReadinessProbe, app.LivenessProbe = sidecar.StartupProbe, sidecar.ReadinessProbe, sidecar.LivenessProbe
	binary := corev1.Volume{Name: "binary"}
	if m == ChildVolume {
		binary.Image = &corev1.ImageVolumeSource{Reference: sidecar.Image, PullPolicy: corev1.PullIfNotPresent}
	} else {
		binary.EmptyDir = &corev1.EmptyDirVolumeSource{}
		pod.InitContainers = []corev1.Container{{
			Name: "install", Image: sidecar.Image, Args: []string{"install", folder + "/lease-sidecar"}, SecurityContext: sidecar.SecurityContext,
			VolumeMounts: []corev1.VolumeMount{{Name: "binary", MountPath: folder}},
		}}
	}
	pod.Volumes = append(pod.Volumes, binary)
}

// volume makes a folder of the machine a volume that the pods of a namespace may claim, on either node.
func (l *Lab) volume(t testing.TB, namespace, dir string) {
	t.Helper()
	none, size := "", corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
	modes := []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}
	_, err := l.Admin.CoreV1().PersistentVolumes().Create(t.Context(), &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
		Spec: corev1.PersistentVolumeSpec{
			Capacity: size, AccessModes: modes, PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain,
			PersistentVolumeSource: corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: dir}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.Admin.CoreV1().PersistentVolumeClaims(namespace).Create(t.Context(), &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: journals},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: modes, StorageClassName: &none, VolumeName: namespace, Resources: corev1.VolumeResourceRequirements{Requests: size},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}
