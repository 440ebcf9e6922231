package main

import (
	"io"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/lease-sidecar/lease-sidecar/internal/usage"
)

const description = `Each replica's sidecar campaigns for one Lease (coordination.k8s.io/v1). It signals to the
workload beside it whether this replica leads: by files in a shared directory, by HTTP, and more.

EXAMPLES:
  # See three replicas and their leader on this machine, without a cluster
  lease-sidecar demo
  # See how to run the sidecar in a pod
  lease-sidecar run --help

ENVIRONMENT:
Each flag has a variable: LEASE_SIDECAR_SIGNAL_DIR is that of --signal-dir. A flag overrides its
variable, and an empty variable counts as unset. Read as well are KUBECONFIG, and POD_NAME,
POD_UID, POD_NAMESPACE and NODE_NAME, which a pod sets from the downward API.

EXIT STATUS:
  0  success
  1  a negative answer, or a failure
  2  a configuration fault; is-leader: it cannot tell
  3  the Lease belongs to another workload
  4  leadership was lost, with --on-loss exit
  N  the status of COMMAND: with-run-lock, and run with --on-child-exit exit`

// metaChild is the key under which newApp keeps the arguments after "--".
const metaChild = "child"

// command returns the arguments after "--", or nil.
func (a answers) command() []string {
	command, _ := a.Context.App.Metadata[metaChild].([]string)
	return command
}

// newApp builds the command line. child holds the arguments after "--", or is nil.
func newApp(child []string, stdin io.Reader, stdout, stderr io.Writer) *cli.App {
	app := &cli.App{
		Name:        "lease-sidecar",
		HelpName:    "lease-sidecar",
		Usage:       "at most one active replica of any workload",
		Description: description,
		UsageText:   "lease-sidecar COMMAND [FLAGS]\nlease-sidecar COMMAND --help",
		Version:     versionText(),
		Reader:      stdin,
		Writer:      stdout,
		ErrWriter:   stderr,
		Metadata:    map[string]any{metaChild: child},
		// There are commands and flags of our own for these.
		HideVersion: true, HideHelpCommand: true,
		// urfave would call os.Exit on its own; main does that.
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   usageError,
		Flags: []cli.Flag{
			cli.HelpFlag, // urfave adds it only together with its own help command
			&cli.BoolFlag{Name: "version", Aliases: []string{"v"}, Usage: "print the version"},
			&cli.BoolFlag{Name: "man", Usage: "print the manual page: lease-sidecar --man | man -l -"},
		},
		Action: rootAction,
		Commands: []*cli.Command{
			runCommand(), waitCommand(), isLeaderCommand(), stepDownCommand(), leaveCommand(), drainedCommand(), quitCommand(), withRunLockCommand(),
			statusCommand(), nameCommand(), installCommand(),
			demoCommand(), toyCommand(), completionCommand(), referenceCommand(), versionCommand(), helpCommand(),
		},
	}
	for _, command := range app.Commands {
		command.HideHelpCommand = true // otherwise `run -- help` would print help
		command.OnUsageError = usageError
		command.Action = onlyOwnArguments(command.Action, child, takesChild(command.Name))
	}
	app.Commands = append(app.Commands, completeCommand())
	return app
}

// takesChild reports whether the command of that name runs the command after "--".
func takesChild(command string) bool { return command == "run" || command == withRunLock }

// rootAction runs if no command was named.
func rootAction(c *cli.Context) error {
	switch {
	case c.Bool("version"):
		return printVersion(c)
	case c.Bool("man"):
		return usage.Manual(c.App)
	case c.Args().Present():
		return unknownCommand(c, c.Args().First())
	}
	return cli.ShowAppHelp(c)
}

// onlyOwnArguments refuses arguments that a command has no use for, rather than do something else than was meant.
func onlyOwnArguments(action cli.ActionFunc, child []string, takesChild bool) cli.ActionFunc {
	return func(c *cli.Context) error {
		if child != nil && !takesChild {
			return faultf("%s runs no command: leave out -- and what follows it", c.Command.Name)
		}
		most := 0
		if c.Command.ArgsUsage != "" {
			most = 1
		}
		if flag, next := answersOf(c).WithoutValue(); flag != "" {
			return faultf("--%s: want a value before %s", flag, next)
		}
		if stray := c.Args().Slice(); len(stray) > most {
			if meant := toggleBefore(c, stray[most]); meant != "" {
				return faultf("%s %q: a flag that is true or false takes its value with =, as in --%s", c.Command.Name, stray[most], meant)
			}
			if takesChild {
				return faultf("%s %q: a command to run comes after --, as in: lease-sidecar %s [FLAGS] -- %s", c.Command.Name, stray[0], c.Command.Name, stray[0])
			}
			return faultf("%s takes no argument %q: see %s --help", c.Command.Name, stray[most], c.Command.HelpName)
		}
		return action(c)
	}
}

// toggleBefore returns what a stray "true" or "no" was most likely meant as, such as "events=true": the value of a flag before it
// that takes none and was given; "" if there is none. Only the first stray argument can be one, as parsing ends there.
func toggleBefore(c *cli.Context, stray string) string {
	value, err := strconv.ParseBool(stray)
	if err != nil && stray != "yes" && stray != "no" {
		return ""
	}
	for _, o := range table.All() {
		if o.IsToggle() && c.IsSet(o.Name) && answersOf(c).Given(o) == "true" {
			return o.Name + "=" + strconv.FormatBool(value || stray == "yes")
		}
	}
	return ""
}
