package main

import (
	"github.com/urfave/cli/v2"

	"github.com/lease-sidecar/lease-sidecar/internal/completion"
)

func completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print the script by which a shell completes commands, flags and values",
		UsageText: "lease-sidecar completion bash|zsh|fish",
		ArgsUsage: "bash|zsh|fish",
		Description: `EXAMPLES:
  source <(lease-sidecar completion bash)      # in ~/.bashrc
  source <(lease-sidecar completion zsh)       # in ~/.zshrc, after compinit
  lease-sidecar completion fish | source       # in ~/.config/fish/config.fish`,
		Action: func(c *cli.Context) error {
			script, err := completion.Script(c.Args().First())
			if err != nil {
				return faultf("completion: %w", err)
			}
			_, err = c.App.Writer.Write(script)
			return err
		},
	}
}

// completeCommand is what the scripts ask: its arguments are those of a command line, up to the one that is completed.
func completeCommand() *cli.Command {
	return &cli.Command{
		Name: completion.Command, Hidden: true, SkipFlagParsing: true, HideHelp: true,
		Action: func(c *cli.Context) error {
			return completion.Complete(c.App, c.Args().Slice(), answersOf(c).command(), takesChild)
		},
	}
}
