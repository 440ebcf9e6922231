// Package metrics counts and times what the sidecar does, and serves it to Prometheus.
//
// It promises that every series exists from the start, that what says "this replica leads" is judged by the clock at the
// scrape, and that names and meanings stay as docs/reference/metrics.md has them: a renamed metric keeps its old name for
// one release.
package metrics
