//go:build linux

package harness

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Native reports whether a container is a native sidecar.
func Native(c corev1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

// LeavesAtPreStop reports whether a sidecar's preStop hook reports that the pod is about to end.
func LeavesAtPreStop(c corev1.Container) bool {
	if c.Lifecycle == nil || c.Lifecycle.PreStop == nil || c.Lifecycle.PreStop.Exec == nil {
		return false
	}
	command := c.Lifecycle.PreStop.Exec.Command
	return len(command) >= 2 && slices.Equal(command[:2], []string{"/lease-sidecar", "leave"})
}
