//go:build !linux

package main

// shedStartup does nothing: the sidecar runs on Linux.
func shedStartup() error { return nil }
