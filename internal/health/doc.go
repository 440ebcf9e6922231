// Package health checks the workload by an HTTP URL, a TCP address or a file, and tells the election whether it is healthy.
package health
