package main

import (
	"os"
	"runtime"
	"slices"

	"github.com/urfave/cli/v2"
)

func runCommand() *cli.Command {
	return &cli.Command{
		Name:  "run",
		Usage: "the sidecar: campaign for the Lease and tell the workload; with -- COMMAND ARG…, run that only while leading",
		Description: "Runs until SIGTERM, SIGINT, SIGHUP or SIGQUIT, and hands over before it ends; another one, a second later or more,\n" +
			"abandons that: what the workload still does is then left to the Lease's end. With a command, HUP and QUIT are passed\n" +
			"on to it. Where HUP was ignored at the start (nohup) it stays so, for the command too. In a pod it derives the workload, and with it the Lease's name, from POD_NAME and the pod's\n" +
			"labels. An API server that is down or refuses does not end it: it says so and keeps trying.",
		Flags: pick(slices.Concat(childOptions, processOptions, stopOptions, healthOptions, remoteOptions, sightOptions, []string{
			"priority", "compat", "prefix", "workload", "lease-name", "namespace", "identity", "labels-file",
			"lease-duration", "renew-deadline", "renew-interval", "foreign-grace", "store", "kubeconfig", "context",
			"signal-dir", "http-address", "probe-address", "allow-step-down", "placement",
			"log-format", "log-level",
		})...),
		Action: func(c *cli.Context) error {
			if runtime.GOOS != "linux" {
				return faultf("run: the sidecar runs on Linux only, as it needs a boot clock that processes share; here there are name, wait and step-down")
			}
			a := answers{&faults{}, c}
			s, err := a.settings()
			if err != nil {
				return err
			}
			keepDispositions()
			log, end := s.log.open(c.App.ErrWriter)
			defer end()
			warnOfUnknown(log, os.Environ())
			return s.campaign(c.Context, log)
		},
	}
}
