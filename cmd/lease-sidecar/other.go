//go:build !linux

package main

import (
	"io"

	"github.com/urfave/cli/v2"
)

// helper reports that this process is none: guards and run locks need Linux.
func helper([]string) (code int, is bool) { return 0, false }

func runSidecar(*cli.Context) error {
	return faultf("run: the sidecar runs on Linux only, as it needs a boot clock that processes share; here there are status, name, wait and step-down")
}

func holdRunLock(string, []string, io.Writer) error {
	return faultf("%s: there is a run lock on Linux only", withRunLock)
}

func runDemo(*cli.Context) error {
	return faultf("demo: it needs Linux, for a boot clock that processes share")
}

func runToy(c *cli.Context) error { return runDemo(c) }
