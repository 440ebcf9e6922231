// Package completion completes the command line in bash, zsh and fish. A script for each shell asks the program itself, by the
// hidden command [Command]. The answer comes from urfave's commands and the table of options.
//
// The answer is a line for each candidate: the whole argument, and after a tab what it means. A candidate that ends with =, : or / is
// completed without a space after it. Instead of candidates, one line may let the shell complete by itself:
//
//	@file TAB PREFIX       a path, after that prefix in the argument
//	@directory TAB PREFIX  the same, of a directory
//	@command               the command after --
package completion

import (
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/lease-sidecar/lease-sidecar/internal/options"
)

// Command is the name of the command that the scripts ask. Its arguments are those of the command line, up to the one that is
// completed.
const Command = "__complete"

//go:embed completion.bash completion.zsh completion.fish
var scripts embed.FS

// Script returns the script for a shell: "bash", "zsh" or "fish".
func Script(shell string) ([]byte, error) {
	script, err := scripts.ReadFile("completion." + shell)
	if err != nil {
		return nil, errors.New("want the name of the shell: bash, zsh or fish")
	}
	return script, nil
}

// Complete writes the candidates for the last argument of a command line. args are the arguments before the first "--", and child
// those after it; child is nil without a "--". runsChild reports whether a command of that name runs what follows "--".
func Complete(app *cli.App, args, child []string, runsChild func(command string) bool) error {
	a := answer{app: app}
	switch last := len(args) - 1; {
	case len(child) > 0:
		if last >= 0 && runsChild(args[0]) {
			a.add("@command", "")
		}
	case child != nil: // "--" is the argument that is completed: the beginning of a flag
		a.argument(args, "--")
	case last >= 0:
		a.argument(args[:last], args[last])
	}
	_, err := strings.NewReader(a.lines.String()).WriteTo(app.Writer)
	return err
}

// answer is the answer so far.
type answer struct {
	app     *cli.App
	current string // the argument that is completed
	lines   strings.Builder
}

// add writes a line.
func (a *answer) add(candidate, means string) {
	fmt.Fprintf(&a.lines, "%s\t%s\n", candidate, means)
}

// offer writes a candidate that begins as the argument does.
func (a *answer) offer(candidate, means string) {
	if strings.HasPrefix(candidate, a.current) {
		a.add(candidate, means)
	}
}

// argument completes an argument after those before it.
func (a *answer) argument(before []string, current string) {
	a.current = current
	if len(before) == 0 {
		a.commands()
		a.flags(a.app.VisibleFlags(), nil)
		return
	}
	command := a.app.Command(before[0])
	if command == nil {
		return
	}
	if len(before) > 1 {
		if o := optionOf(command, before[len(before)-1]); o != nil && !o.IsToggle() {
			a.value(o, "")
			return
		}
	}
	name, _, assigned := strings.Cut(current, "=")
	if o := optionOf(command, name); o != nil && assigned {
		a.value(o, name+"=")
		return
	}
	if !strings.HasPrefix(current, "-") {
		a.plain(command)
	}
	if command.ArgsUsage == "" || strings.HasPrefix(current, "-") {
		a.flags(command.VisibleFlags(), before)
	}
}

// optionOf returns the command's option with that flag, dashes included, or nil.
func optionOf(command *cli.Command, arg string) *options.Option {
	name, dashed := strings.CutPrefix(arg, "-")
	if !dashed {
		return nil
	}
	name = strings.TrimPrefix(name, "-")
	for _, flag := range command.Flags {
		if ours, ok := flag.(*options.Flag); ok && slices.Contains(ours.Names(), name) {
			return ours.Option
		}
	}
	return nil
}

func (a *answer) commands() {
	for _, command := range a.app.VisibleCommands() {
		a.offer(command.Name, command.Usage)
	}
}

// plain completes an argument that is no flag, by its name in the usage: PATH, [COMMAND], or the values with | between.
func (a *answer) plain(command *cli.Command) {
	switch usage := command.ArgsUsage; usage {
	case "", "[NAME]": // a name is in the cluster, which is not asked
	case "PATH":
		a.add("@file", "")
	case "[COMMAND]":
		a.commands()
	default:
		for value := range strings.SplitSeq(usage, "|") {
			a.offer(value, "")
		}
	}
}

// flags completes the name of a flag that has not been given yet.
func (a *answer) flags(flags []cli.Flag, before []string) {
	given := map[string]bool{}
	for _, arg := range before {
		name, _, _ := strings.Cut(arg, "=")
		given[name] = true
	}
	for _, flag := range flags {
		name := "--" + flag.Names()[0]
		if given[name] {
			continue
		}
		if ours, ok := flag.(*options.Flag); ok && ours.Option.IsToggle() && ours.Option.Default == "true" {
			name += "=" // given alone it would change nothing
		}
		a.offer(name, flag.(cli.DocGenerationFlag).GetUsage())
	}
}

// value completes the value of an option, after a prefix in the argument.
func (a *answer) value(o *options.Option, prefix string) {
	values := append(append([]string{}, o.Choices...), o.Suggest...)
	if o.IsToggle() {
		values = []string{"true", "false"}
	}
	for _, value := range values {
		if strings.HasSuffix(value, ":") && strings.HasPrefix(a.current, prefix+value) {
			a.add("@"+string(o.Path), prefix+value)
			return
		}
	}
	if len(values) == 0 && o.Path != options.NoPath {
		a.add("@"+string(o.Path), prefix)
		return
	}
	for _, value := range values {
		a.offer(prefix+value, "")
	}
}
