package main

import (
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
		Flags: pick(
			"on-child-exit", "process-name", "pid-file", "on-elected", "on-lost", "fence", "stop-timeout", "drain-timeout", "on-loss",
			"health-url", "health-tcp", "health-file", "health-file-max-age", "health-interval", "health-timeout",
			"health-threshold", "health-success-threshold", "health-start-grace", "health-cooldown", "health-while",
			"health-proves-stop", "when-all-unfit",
			"label", "webhook-url", "webhook-timeout", "webhook-success-status", "events",
			"watch-processes", "watch-processes-except", "watch-pod", "watch-pod-container",
			"priority", "compat", "prefix", "workload", "lease-name", "namespace", "identity", "labels-file",
			"lease-duration", "renew-deadline", "renew-interval", "foreign-grace", "store", "kubeconfig", "context",
			"signal-dir", "http-address", "probe-address", "allow-step-down", "placement",
			"log-format", "log-level",
		),
		Action: runSidecar,
	}
}
