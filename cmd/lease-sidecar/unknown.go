package main

import (
	"log/slog"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/lease-sidecar/lease-sidecar/internal/options"
)

// warnOfUnknown warns about each unknown variable.
func warnOfUnknown(log *slog.Logger, environment []string) {
	for _, u := range table.Unknown(environment) {
		attributes := []any{"reason", "UnknownVariable", "variable", u.Name}
		if u.Near != "" {
			attributes = append(attributes, "did_you_mean", u.Near)
		}
		log.Warn("an environment variable is named as an option, and there is none of that name: it has no effect", attributes...)
	}
}

// unknownCommand is the fault for a command that does not exist.
func unknownCommand(c *cli.Context, name string) error {
	var all []string
	for _, command := range c.App.VisibleCommands() {
		all = append(all, command.Name)
	}
	return faultf("no command %q: %ssee %s --help", name, didYouMean("", options.Nearest(name, all)), c.App.HelpName)
}

// usageError turns an error about a flag, of which urfave gives only the text, into a configuration fault.
func usageError(c *cli.Context, err error, _ bool) error {
	of := c.Command.HelpName
	if name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); unknown {
		var all []string
		for _, flag := range c.Command.Flags {
			all = append(all, slices.DeleteFunc(flag.Names(), func(name string) bool { return len(name) == 1 })...)
		}
		dashed := "--" + name
		if len(name) == 1 {
			dashed = "-" + name
		}
		if of == c.App.HelpName && table.OfName(name) != nil {
			return faultf("--%s: a flag comes after its command, as in: lease-sidecar COMMAND --%s", name, name)
		}
		return faultf("no flag %s: %ssee %s --help", dashed, didYouMean("--", options.Nearest(name, all)), of)
	}
	if name, lacking := strings.CutPrefix(err.Error(), "flag needs an argument: -"); lacking {
		if o := table.OfName(name); o != nil {
			return faultf("--%s: want a value, as in --%s %s", o.Name, o.Name, o.Value)
		}
	}
	if names, both := strings.CutPrefix(err.Error(), "Cannot use two forms of the same flag: "); both {
		return faultf("a flag is given by two of its names: %s: give it once", names)
	}
	return faultf("%w: see %s --help", err, of)
}

func didYouMean(dashes, near string) string {
	if near == "" {
		return ""
	}
	return "did you mean " + dashes + near + "? Else "
}
