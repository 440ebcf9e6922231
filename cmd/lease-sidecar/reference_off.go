//go:build urfave_cli_no_docs

package main

import "github.com/urfave/cli/v2"

// referenceCommands are not in release builds.
func referenceCommands() []*cli.Command { return nil }
