package main

import (
	"io"

	"github.com/urfave/cli/v2"
)

// The scripts ask the program itself for the words that fit, as urfave answers --generate-bash-completion.
const (
	bashScript = `_lease_sidecar() {
  local current="${COMP_WORDS[COMP_CWORD]}" before=("${COMP_WORDS[@]:0:COMP_CWORD}") words
  case "$current" in
    -*) words="$("${before[@]}" "$current" --generate-bash-completion 2>/dev/null)" ;;
    *) words="$("${before[@]}" --generate-bash-completion 2>/dev/null)" ;;
  esac
  COMPREPLY=($(compgen -W "${words}" -- "$current"))
}
complete -o default -F _lease_sidecar lease-sidecar
`
	zshScript = `#compdef lease-sidecar
_lease_sidecar() {
  local -a found
  local current="${words[CURRENT]}" before=("${(@)words[1,CURRENT-1]}")
  [[ "$current" == -* ]] && before+=("$current")
  found=("${(@f)$("${before[@]}" --generate-bash-completion 2>/dev/null)}")
  if [[ -n "${found[1]}" ]]; then
    compadd -- "${found[@]%%:*}"
  else
    _files
  fi
}
compdef _lease_sidecar lease-sidecar
`
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
