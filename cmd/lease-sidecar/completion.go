package main

import (
	_ "embed" // for the scripts
	"io"

	"github.com/urfave/cli/v2"
)

// The scripts ask the program itself for completions, by urfave's --generate-bash-completion.
var (
	//go:embed completion.bash
	bashScript string
	//go:embed completion.zsh
	zshScript string
)

func completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print the script that completes this command in a shell",
		ArgsUsage: "bash|zsh|fish",
		Description: "In bash: source <(lease-sidecar completion bash). In zsh: source <(lease-sidecar completion zsh), after compinit.\n" +
			"In fish: lease-sidecar completion fish | source.",
		Action: func(c *cli.Context) error {
			switch shell := c.Args().First(); shell {
			case "bash":
				return writeText(c.App.Writer, bashScript)
			case "zsh":
				return writeText(c.App.Writer, zshScript)
			case "fish":
				return printText(c, c.App.ToFishCompletion)
			default:
				return faultf("completion %q: want bash, zsh or fish", shell)
			}
		},
	}
}

func writeText(w io.Writer, text string) error {
	_, err := io.WriteString(w, text)
	return err
}
