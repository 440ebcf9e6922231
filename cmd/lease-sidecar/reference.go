//go:build !urfave_cli_no_docs

package main

import "github.com/urfave/cli/v2"

// referenceCommands print the reference of the command line for `make docs`. Release builds leave them out.
func referenceCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name: "docs", Hidden: true, Usage: "print the reference of this command in Markdown",
			Action: func(c *cli.Context) error { return printText(c, c.App.ToMarkdown) },
		},
		{
			Name: "manual", Hidden: true, Usage: "print the manual page of this command anew",
			Action: func(c *cli.Context) error { return printText(c, c.App.ToMan) },
		},
	}
}
