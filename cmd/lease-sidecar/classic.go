package main

import (
	"cmp"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lease-sidecar/lease-sidecar/internal/options"
	"github.com/lease-sidecar/lease-sidecar/pkg/field"
)

// classicFlag is a flag of the classic leader-elector sidecar, its default, and the option of `run` that replaces it, or nil.
type classicFlag struct {
	name, value string
	stands      *options.Option
}

var classicFlags = []classicFlag{
	{"election", "", leaseNameFlag.Option},
	{"election-namespace", "default", namespaceFlag.Option},
	{"id", "", identityFlag.Option},
	{"http", "off", httpAddressFlag.Option},
	{"ttl", "10s", leaseDurationFlag.Option},
	{"use-cluster-credentials", "false", nil}, // without a kubeconfig we use them anyway
}

// classicLine is a parsed command line of the classic sidecar.
type classicLine struct {
	given map[string]string
	rest  []string // options of `run`
}

// fromClassic translates a command line of the classic sidecar, which has no subcommand, to one of `run`. It keeps others.
func fromClassic(args []string) ([]string, error) {
	if len(args) < 2 || !slices.ContainsFunc(args[1:], isClassicFlag) || !strings.HasPrefix(args[1], "-") {
		return args, nil
	}
	var list field.Faults
	line := parseClassic(args[1:], &list)
	line.check(&list)
	if err := asFault(list.Err()); err != nil {
		return nil, err
	}
	return append([]string{args[0], "run"}, line.options()...), nil
}

func isClassicFlag(arg string) bool {
	name, _, _ := splitFlag(arg)
	return slices.ContainsFunc(classicFlags, func(f classicFlag) bool { return f.name == name })
}

// splitFlag splits -name, --name, -name=value or --name=value. name is "" if arg is not a flag.
func splitFlag(arg string) (name, value string, assigned bool) {
	flag, dashed := strings.CutPrefix(arg, "-")
	if !dashed {
		return "", "", false
	}
	name, value, assigned = strings.Cut(strings.TrimPrefix(flag, "-"), "=")
	return name, value, assigned
}

func parseClassic(args []string, list *field.Faults) classicLine {
	line := classicLine{given: map[string]string{}}
	for i := 0; i < len(args); i++ {
		name, value, assigned := splitFlag(args[i])
		switch {
		case !isClassicFlag(args[i]):
			line.rest = append(line.rest, args[i])
			continue
		case assigned:
		case name == "use-cluster-credentials":
			value = "true"
		case i+1 < len(args):
			i++
			value = args[i]
		default:
			list.Addf("--%s: want a value, as in --%s=VALUE", name, name)
		}
		line.given[name] = value
	}
	return line
}

// check reports what `run` would report under another name.
func (l classicLine) check(list *field.Faults) {
	if l.given["election"] == "" {
		list.Addf("no election: set --election=NAME, or see lease-sidecar --help for the commands of today")
	}
	if text := l.given["ttl"]; text != "" {
		if d, err := time.ParseDuration(text); err != nil || d < 3*time.Second || d > options.Longest || d%time.Second != 0 {
			list.Addf("--ttl %q: want whole seconds, at least 3s", text)
		}
	}
	if text := l.given["use-cluster-credentials"]; text != "" {
		if _, err := strconv.ParseBool(text); err != nil {
			list.Addf("--use-cluster-credentials %q: want true or false", text)
		}
	}
}

// options returns the options of `run`. Those given under today's names come last, so that they win.
func (l classicLine) options() []string {
	all := []string{"--compat=classic"}
	for _, f := range classicFlags {
		if value := cmp.Or(l.given[f.name], f.value); f.stands != nil && value != "" {
			all = append(all, "--"+f.stands.Name+"="+value)
		}
	}
	if os.Getenv(probeAddressFlag.Env()) == "" {
		all = append(all, "--"+probeAddressFlag.Name+"=off") // the classic sidecar opened one port
	}
	return append(all, l.rest...)
}
