//go:build !unix

package httpapi

// noIPv6 passes over every failure to bind ::1: the sidecar itself runs on Linux.
func noIPv6(error) bool { return true }
