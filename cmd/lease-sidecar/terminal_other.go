//go:build !linux

package main

import "io"

// isTerminal answers false: what draws on a terminal runs on Linux.
func isTerminal(io.Writer) bool { return false }
