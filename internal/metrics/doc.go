// Package metrics counts and times what the sidecar does, for Prometheus.
package metrics
