//go:build !linux

package main

// isGuard answers false: there are guards on Linux only.
func isGuard([]string) bool { return false }

func runGuard([]string) int { return exitFault }
