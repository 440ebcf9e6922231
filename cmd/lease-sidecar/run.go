package main

import "github.com/urfave/cli/v2"

func runCommand() *cli.Command {
	return &cli.Command{
		Name:  "run",
		Usage: "the sidecar: campaign for the Lease and signal to the workload; with -- COMMAND ARG…, run that only while leading",
		Description: "Runs until SIGTERM, SIGINT, SIGHUP or SIGQUIT, and hands over before it ends; another one, a second later or more,\n" +
			"abandons that: what the workload still does is then left to the Lease's end. With a command, HUP and QUIT are passed\n" +
			"on to it. Where HUP was ignored at the start (nohup) it stays so, for the command too. In a pod it derives the workload,\n" +
			"and with it the Lease's name, from POD_NAME and the pod's labels. An API server that is down or refuses does not end it:\n" +
			"it says so and keeps trying.",
		Flags:  runFlags(),
		Action: runSidecar,
	}
}

// runFlags are all options that have a group in the help text.
func runFlags() []cli.Flag {
	var all []cli.Flag
	for _, o := range table.All() {
		if o.Group != "" {
			all = append(all, flagOf(o))
		}
	}
	return all
}
