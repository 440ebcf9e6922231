package main

import (
	"cmp"
	_ "embed" // for the manual
	"fmt"
	"io"
	"strconv"

	"github.com/urfave/cli/v2"
)

const description = `Each replica's sidecar campaigns for one Lease (coordination.k8s.io/v1) and signals to the workload beside it whether
it leads: by files in a shared directory, and over HTTP. Every flag has an environment twin, LEASE_SIDECAR_ and its name in
capitals (LEASE_SIDECAR_SIGNAL_DIR for --signal-dir); an empty variable counts as unset. Exit codes: 0 well, 1 a
negative answer or a failure, 2 a configuration fault, 3 the Lease belongs to another workload, 4 leadership lost (--on-loss exit).`

// manual is the manual page. `make docs` writes it: the library that does so would make the binary 0.3 MB larger.
//
//go:embed lease-sidecar.1
var manual string

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
		HideVersion: true, // there is a command for it
		Reader:      stdin,
		Writer:      stdout,
		ErrWriter:   stderr,
		Suggest:     true,

		EnableBashCompletion: true,
		Metadata:             map[string]any{metaChild: child},
		// urfave would call os.Exit itself; main does that.
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   usageError,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "man", Usage: "print the manual page", DisableDefaultText: true},
		},
		Action: rootAction,
		Commands: []*cli.Command{
			runCommand(), waitCommand(), isLeaderCommand(), stepDownCommand(), drainedCommand(), quitCommand(), withRunLockCommand(),
			nameCommand(), installCommand(),
			demoCommand(), toyCommand(), completionCommand(), versionCommand(),
		},
	}
	app.Commands = append(app.Commands, referenceCommands()...)
	for _, command := range app.Commands {
		command.HideHelpCommand = true // otherwise `run -- help` would print help
		command.OnUsageError = usageError
		takesChild := command.Name == "run" || command.Name == withRunLock
		command.Action = onlyOwnArguments(command.Action, child, takesChild)
	}
	return app
}

// rootAction runs if no command was named.
func rootAction(c *cli.Context) error {
	switch {
	case c.Bool("man"):
		return writeText(c.App.Writer, manual)
	case c.Args().Present():
		return unknownCommand(c)
	}
	return cli.ShowAppHelp(c)
}

func unknownCommand(c *cli.Context) error {
	name := c.Args().First()
	near := cli.SuggestCommand(c.App.VisibleCommands(), name) // a whole question, or ""
	return faultf("no command %q: %s", name, cmp.Or(near, "see lease-sidecar --help"))
}

// usageError turns urfave's error on a flag into a configuration fault.
func usageError(c *cli.Context, err error, _ bool) error {
	return faultf("%w: see %s --help", err, c.Command.HelpName)
}

// onlyOwnArguments refuses arguments that the command does not use, rather than ignore them.
func onlyOwnArguments(action cli.ActionFunc, child []string, takesChild bool) cli.ActionFunc {
	return func(c *cli.Context) error {
		if child != nil && !takesChild {
			return faultf("%s runs no command: leave out -- and what follows it", c.Command.Name)
		}
		most := 0
		if c.Command.ArgsUsage != "" {
			most = 1
		}
		if stray := c.Args().Slice(); len(stray) > most {
			if flag := toggleBefore(c, stray[most]); flag != "" {
				return faultf("%s %q: a flag that is true or false takes its value with =, as in --%s=%s", c.Command.Name, stray[most], flag, stray[most])
			}
			if takesChild {
				return faultf("%s %q: a command to run comes after --, as in: lease-sidecar %s [flags] -- %s", c.Command.Name, stray[0], c.Command.Name, stray[0])
			}
			return faultf("%s takes no argument %q: see %s --help", c.Command.Name, stray[most], c.Command.HelpName)
		}
		return action(c)
	}
}

// toggleBefore returns the flag that a stray "true" or "false" was most likely meant for: one that takes no value and was
// given; "" if there is none. Only the first stray argument can be one, as parsing ends there.
func toggleBefore(c *cli.Context, stray string) string {
	if _, err := strconv.ParseBool(stray); err != nil && stray != "yes" && stray != "no" {
		return ""
	}
	for _, o := range table.All() {
		if o.IsToggle() && c.IsSet(o.Name) && answersOf(c).Given(o) == "true" {
			return o.Name
		}
	}
	return ""
}

// printText prints a text that the library makes of the command line.
func printText(c *cli.Context, text func() (string, error)) error {
	s, err := text()
	if err != nil {
		return fmt.Errorf("write what was asked for: %w", err)
	}
	return writeText(c.App.Writer, s)
}
