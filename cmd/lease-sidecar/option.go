package main

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lease-sidecar/lease-sidecar/pkg/signals/child"
)

// option is one flag. Its name, environment twin, default and usage are in the table of options.go and nowhere else.
type option struct {
	name     string
	alias    string
	former   string // the name until this release, which still works, with its environment twin
	value    string // the default
	describe string // the default in prose, where it has no fixed value
	category string // in the help of run, whose options all have one
	usage    string // what stands in backquotes stands for the value
	field    string // the field of sidecar.Config that it sets, such as "Election.RenewDeadline", for field errors

	choices     []string // the values of a choice
	least, most int      // the bounds of a number
	toggle      bool     // a flag that needs no value
}

// The kinds of options are the handles by which values are read: what reads a value names a Go variable, not a string.
type (
	textOption     struct{ *option }
	durationOption struct{ *option } // a Go duration from 0 to a year
	numberOption   struct{ *option } // a whole number within bounds
	toggleOption   struct{ *option } // true or false
	choiceOption   struct{ *option } // one of a few values
	addressOption  struct{ *option } // an address, or off
)

// spec returns the option of any handle.
func (o *option) spec() *option { return o }

// handle is an option of any kind.
type handle interface{ spec() *option }

// options are all options in the order of their declaration, which is that of the help text.
var options []*option

// add puts an option into the table, and returns the handle.
func add[T ~struct{ *option }](o option) T {
	options = append(options, &o)
	return T{&o}
}

func addToggle(o option) toggleOption { o.toggle = true; return add[toggleOption](o) }

// envPrefix begins every environment twin. A Service named lease-sidecar makes Kubernetes set LEASE_SIDECAR_PORT,
// LEASE_SIDECAR_SERVICE_HOST and the like: no option may be named so.
const envPrefix = "LEASE_SIDECAR_"

// env returns the option's environment twin.
func (o *option) env() string { return envOf(o.name) }

func envOf(name string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// variables returns all variables that set the option, its twin first.
func (o *option) variables() []string {
	all := []string{o.env()}
	if o.former != "" {
		all = append(all, envOf(o.former))
	}
	return all
}

// raw holds a flag's text as it was given. Nothing is judged while urfave parses: it would stop at the first fault.
type raw struct {
	text   string
	toggle bool
}

func (r *raw) Set(s string) error { r.text = s; return nil }
func (r *raw) String() string     { return r.text }

// IsBoolFlag lets the flag stand without a value.
func (r *raw) IsBoolFlag() bool { return r.toggle }

// flag returns the option for urfave. A cli.GenericFlag takes an empty variable for an unset one, as the contract says;
// urfave's other flags do not.
func (o *option) flag() cli.Flag {
	f := &cli.GenericFlag{
		Name: o.name, Usage: o.usage, Category: o.category, DefaultText: o.describe,
		EnvVars: o.variables(), Value: &raw{text: o.value, toggle: o.toggle},
	}
	if child.FromDocument(o.env()) { // of the sidecar above, which runs this one as its command
		f.EnvVars = nil
	}
	for _, name := range []string{o.alias, o.former} {
		if name != "" {
			f.Aliases = append(f.Aliases, name)
		}
	}
	return f
}

// flags returns the flags of some options.
func flags(handles ...handle) []cli.Flag {
	var all []cli.Flag
	for _, h := range handles {
		all = append(all, h.spec().flag())
	}
	return all
}

// answers reads what the user gave to a command's options, and notes what is wrong with it.
type answers struct {
	*faults
	c *cli.Context
}

func answersOf(c *cli.Context) answers { return answers{&faults{wrong: map[*option]bool{}}, c} }

// given returns the text of an option: the flag's, the variable's or the default; "" where the command does not have it.
func (a answers) given(o *option) string {
	if r, ok := a.c.Generic(o.name).(*raw); ok {
		return r.text
	}
	return ""
}

func (a answers) text(o textOption) string { return a.given(o.option) }

// duration reads a duration; "" is 0. A wrong one is noted, and stands for the default.
func (a answers) duration(o durationOption) time.Duration {
	d, want := parseDuration(a.given(o.option))
	if want != "" {
		a.refuse(o, want)
		d, _ = parseDuration(o.value)
	}
	return d
}

// longest is the most that any duration may be: what is longer is a mistake, and may overflow where it is added up.
const longest = 365 * 24 * time.Hour

// tooMany matches a duration that is well formed, and too long for a number of nanoseconds.
var tooMany = regexp.MustCompile(`^\+?([0-9]+(\.[0-9]*)?(ns|us|µs|μs|ms|s|m|h))+$`)

// parseDuration returns what would do where text does not.
func parseDuration(text string) (d time.Duration, want string) {
	if text == "" || text == "0" {
		return 0, ""
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil && tooMany.MatchString(text), err == nil && d > longest:
		return 0, "at most 8760h (a year)"
	case err != nil:
		return 0, "a duration with its unit, such as 15s or 1m30s"
	case d < 0:
		return 0, "0s or more"
	}
	return d, ""
}

// number reads a number. A wrong one is noted, and stands for the default.
func (a answers) number(o numberOption) int {
	n, err := strconv.Atoi(a.given(o.option))
	if err != nil || n < o.least || n > o.most {
		a.refuse(o, "a whole number from "+strconv.Itoa(o.least)+" to "+strconv.Itoa(o.most))
		n, _ = strconv.Atoi(o.value)
	}
	return n
}

func (a answers) toggle(o toggleOption) bool {
	switch a.given(o.option) {
	case "true":
		return true
	case "false":
	default:
		a.refuse(o, "true or false")
	}
	return false
}

// is reports whether a choice has the value, which must be one of the option's.
func (a answers) is(o choiceOption, value string) bool {
	if !slices.Contains(o.choices, value) {
		panic("--" + o.name + " has no choice " + value)
	}
	return a.choice(o) == value
}

// choice reads a choice. A wrong one is noted.
func (a answers) choice(o choiceOption) string {
	text := a.given(o.option)
	if text != o.value && !slices.Contains(o.choices, text) && !a.wrong[o.option] {
		a.refuse(o, strings.Join(o.choices, " or "))
	}
	return text
}

// address reads where to listen or to ask; "" where the option is off.
func (a answers) address(o addressOption) string {
	if text := a.given(o.option); text != "off" {
		return text
	}
	return ""
}
