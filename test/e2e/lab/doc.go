// Package lab is real Kubernetes with two nodes on one machine: etcd, kube-apiserver, kube-controller-manager, kube-scheduler,
// kube-proxy, and for each node containerd and kubelet. Pods run as they do anywhere else: from images, in control groups, on a
// network of their own, with Pod Security admission.
//
// It promises that nothing of it is outside namespaces of its own, which the test process enters before it starts anything:
//
//	go test (host) ── Main ──▶ the test binary again, as process 1 of new PID, mount, network and IPC namespaces
//	                             └─▶ the test binary again, which runs the tests and starts all components
//
// So addresses, links, packet filters and mounts are not the host's, and when the first process ends, however that comes about,
// the kernel kills the rest, and the mounts, the links and the rules are gone. The process on the host then removes the run's folder and
// its empty control groups, also when it gets SIGINT or SIGTERM, or "go test" has ended. Where it is killed, the next run finds them by the
// folder's lock, and removes them.
//
// It needs root, and says so. It does not promise name resolution: there is no DNS server.
package lab
