//go:build !linux

package main

import "github.com/lease-sidecar/lease-sidecar/pkg/signals/child"

// forward does nothing: `run` is for Linux.
func forward(*child.Child) (stop func()) { return func() {} }
