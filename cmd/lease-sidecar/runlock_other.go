//go:build !linux

package main

import "io"

// keepsRunLock answers false: there is a run lock on Linux only.
func keepsRunLock([]string) (dir string, command []string, plain bool) { return "", nil, false }

func keepRunLock(string, []string, io.Writer) int { return exitFault }

func holdRunLock(string, []string, io.Writer) error {
	return faultf("%s: there is a run lock on Linux only", withRunLock)
}
