//go:build !linux

package main

// shedIdlePages does nothing: the sidecar runs on Linux.
func shedIdlePages() error { return nil }
