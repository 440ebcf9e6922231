package main

import (
	"cmp"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// classicFlag is a flag of the classic leader-elector sidecar with its default, and the option of `run` that it stands for; nil
// for none.
type classicFlag struct {
	name, value string
	stands      *option
}

var classicFlags = []classicFlag{
	{"election", "", leaseNameFlag.option},
	{"election-namespace", "default", namespaceFlag.option},
	{"id", "", identityFlag.option},
	{"http", "off", httpAddressFlag.option},
	{"ttl", "10s", leaseDurationFlag.option},
	{"use-cluster-credentials", "false", nil}, // without a kubeconfig we use them anyway
}

// classicDefaults are the options of `run` that suit a pod made for the classic sidecar: an ordinary container, which
// opened one port. A variable or a flag overrides them.
var classicDefaults = []struct {
	*option
	value string
}{{placementFlag.option, "classic"}, {probeAddressFlag.option, "off"}}

// classicLine is a command line of the classic sidecar, taken apart.
type classicLine struct {
	given map[string]string
	rest  []string // options of `run`
}

// fromClassic translates a command line of the classic sidecar, which has no subcommand, to one of `run`. Any other it
// returns as it is.
func fromClassic(args []string) ([]string, error) {
	if len(args) < 2 || !slices.ContainsFunc(args[1:], isClassicFlag) || !strings.HasPrefix(args[1], "-") {
		return args, nil
	}
	var list faults
	line := parseClassic(args[1:], &list)
	line.check(&list)
	if err := list.err(); err != nil {
		return nil, err
	}
	return append([]string{args[0], "run"}, line.options()...), nil
}

func isClassicFlag(arg string) bool {
	name, _, _ := splitFlag(arg)
	return slices.ContainsFunc(classicFlags, func(f classicFlag) bool { return f.name == name })
}

// splitFlag takes -name, --name, -name=value or --name=value apart; name is "" where arg is no flag.
func splitFlag(arg string) (name, value string, assigned bool) {
	flag, dashed := strings.CutPrefix(arg, "-")
	if !dashed {
		return "", "", false
	}
	name, value, assigned = strings.Cut(strings.TrimPrefix(flag, "-"), "=")
	return name, value, assigned
}

func parseClassic(args []string, list *faults) classicLine {
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
			list.addf("--%s: want a value, as in --%s=VALUE", name, name)
		}
		line.given[name] = value
	}
	return line
}

// check notes what `run` would find wrong under another name.
func (l classicLine) check(list *faults) {
	if l.given["election"] == "" {
		list.addf("no election: set --election=NAME, or see lease-sidecar --help for the commands of today")
	}
	if text := l.given["ttl"]; text != "" {
		if d, err := time.ParseDuration(text); err != nil || d < 3*time.Second || d > longest || d%time.Second != 0 {
			list.addf("--ttl %q: want whole seconds, at least 3s", text)
		}
	}
	if text := l.given["use-cluster-credentials"]; text != "" {
		if _, err := strconv.ParseBool(text); err != nil {
			list.addf("--use-cluster-credentials %q: want true or false", text)
		}
	}
}

// options returns the options of `run`, those of today last, so that they win.
func (l classicLine) options() []string {
	options := []string{"--compat=classic"}
	for _, f := range classicFlags {
		if value := cmp.Or(l.given[f.name], f.value); f.stands != nil && value != "" {
			options = append(options, "--"+f.stands.name+"="+value)
		}
	}
	for _, d := range classicDefaults {
		if os.Getenv(d.env()) == "" {
			options = append(options, "--"+d.name+"="+d.value)
		}
	}
	return append(options, l.rest...)
}
