package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/lease-sidecar/lease-sidecar/pkg/signals/child"
)

// option is one flag. Its name, environment twin, default and usage are said in the table below and nowhere else.
type option struct {
	name     string
	alias    string
	value    string // the default
	describe string // the default in words, where it has no fixed value
	category string
	usage    string // the words in backquotes stand for the value
	toggle   bool   // a flag that needs no value
}

// envPrefix begins every environment twin. A Service named lease-sidecar makes Kubernetes set LEASE_SIDECAR_PORT,
// LEASE_SIDECAR_SERVICE_HOST and the like: no option may be named so.
const envPrefix = "LEASE_SIDECAR_"

// env returns the option's environment twin.
func (o option) env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(o.name, "-", "_"))
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

// flag returns the option for urfave. A cli.GenericFlag takes an empty variable for an unset one, as we promise;
// its other flags do not.
func (o option) flag() cli.Flag {
	variables := []string{o.env()}
	if child.FromDocument(o.env()) { // of the sidecar above, which runs this one as its command
		variables = nil
	}
	f := &cli.GenericFlag{
		Name: o.name, Usage: o.usage, Category: o.category, DefaultText: o.describe,
		EnvVars: variables, Value: &raw{text: o.value, toggle: o.toggle},
	}
	if o.alias != "" {
		f.Aliases = []string{o.alias}
	}
	return f
}

// pick returns the flags of the named options, in the table's order.
func pick(names ...string) []cli.Flag {
	var flags []cli.Flag
	for _, o := range options {
		if slices.Contains(names, o.name) {
			flags = append(flags, o.flag())
		}
	}
	if len(flags) != len(names) {
		panic(fmt.Sprintf("an option of %v is not in the table", names))
	}
	return flags
}

// answers reads what the user gave to a command's options, and notes what is wrong with it.
type answers struct {
	*faults
	c *cli.Context
}

func (a answers) text(name string) string {
	if r, ok := a.c.Generic(name).(*raw); ok {
		return r.text
	}
	return ""
}

// longest is the most that any duration may be: what is longer is a mistake, and may overflow where it is added up.
const longest = 365 * 24 * time.Hour

// duration reads a Go duration from 0 to a year; "" is 0, and so is one that is noted as a fault.
func (a answers) duration(name string) time.Duration {
	d, _ := a.readDuration(name)
	return d
}

// readDuration is duration for an option that is judged further; ok is false where it is noted as a fault already.
func (a answers) readDuration(name string) (d time.Duration, ok bool) {
	text := a.text(name)
	if text == "" || text == "0" {
		return 0, true
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil && tooMany.MatchString(text), err == nil && d > longest:
		a.addf("--%s %q: want at most 8760h (a year)", name, text)
	case err != nil:
		a.addf("--%s %q: want a duration with its unit, such as 15s or 1m30s", name, text)
	case d < 0:
		a.addf("--%s %q: want 0s or more", name, text)
	default:
		return d, true
	}
	return 0, false
}

// tooMany matches a duration that is well formed, and too long for a number of nanoseconds.
var tooMany = regexp.MustCompile(`^\+?([0-9]+(\.[0-9]*)?(ns|us|µs|μs|ms|s|m|h))+$`)

func (a answers) toggle(name string) bool {
	switch text := a.text(name); text {
	case "true":
		return true
	case "false":
	default:
		a.addf("--%s %q: want true or false", name, text)
	}
	return false
}

// choice reads one of a few words.
func (a answers) choice(name string, words ...string) string {
	text := a.text(name)
	if !slices.Contains(words, text) {
		a.addf("--%s %q: want %s", name, text, strings.Join(words, " or "))
	}
	return text
}

// address reads where to listen or to ask; "" where the option is off.
func (a answers) address(name string) string {
	text := a.text(name)
	if text == "off" {
		return ""
	}
	return text
}
