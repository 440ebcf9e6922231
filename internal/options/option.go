// Package options holds the options of a command line: a row each in a [Table], with environment variable, default and
// usage. The row's typed handle reads the value, so that a misspelt name does not compile. [Answers] collects all faults; a
// configuration's field error finds the option that sets the field.
//
// It promises that an option has the flag's value, else the variable's, else the default; an empty variable counts as unset.
// It does not check that values suit each other: the configurations' Validate methods do.
package options

import (
	"cmp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// EnvPrefix begins every option's variable. For a Service named lease-sidecar, Kubernetes sets LEASE_SIDECAR_PORT,
// LEASE_SIDECAR_SERVICE_HOST and the like, so no option may have such a name.
const EnvPrefix = "LEASE_SIDECAR_"

// Option is one row of the table.
type Option struct {
	// Name is the flag's, without dashes. Alias is a second name; "" for none. It has no variable.
	Name, Alias string
	// Default is the value if none is given. Describe is the default in prose, if it is not fixed.
	Default, Describe string
	// Group is the group in the help text; "" for none.
	Group string
	// Value is the name of the value in the help text, in capitals. Usage says in one line what the option does. Detail is
	// sentences for the manual page and the reference; "" for none.
	Value, Usage, Detail string
	// Suggest are values that a shell completes, besides the Choices. One that ends with a colon is the start of a path.
	Suggest []string
	// Path is what a shell completes as the value, or after a Suggest with a colon.
	Path Path
	// Field is the field of the configuration that the option sets, such as "Election.RenewDeadline"; "" for none.
	Field string
	// Needs is a field that the option needs and no option sets, such as "Pod" (from the environment); "" for none.
	Needs string
	// Choices are the values of a [Choice]. Least and Most bound a [Number].
	Choices     []string
	Least, Most int

	toggle bool // takes no value
}

// Path is a kind of path.
type Path string

// The kinds of paths.
const (
	NoPath    Path = ""
	File      Path = "file"
	Directory Path = "directory"
)

// The kinds of options are the handles by which values are read.
type (
	// Text is any text.
	Text struct{ *Option }
	// Duration is a Go duration from 0 to a year.
	Duration struct{ *Option }
	// Number is a whole number from Least to Most.
	Number struct{ *Option }
	// Toggle is true or false; the flag alone is true.
	Toggle struct{ *Option }
	// Choice is one of the Choices, or the default.
	Choice struct{ *Option }
	// Address is an address, or off.
	Address struct{ *Option }
)

// Handle is an option of any kind.
type Handle interface{ Spec() *Option }

// Spec returns the option of a handle.
func (o *Option) Spec() *Option { return o }

// Table holds all options, in the order of the help text. Its methods add a row and return its handle.
type Table struct{ all []*Option }

func (t *Table) add(o Option) *Option {
	t.all = append(t.all, &o)
	return &o
}

// Text adds a text option.
func (t *Table) Text(o Option) Text { return Text{t.add(o)} }

// Duration adds a duration option.
func (t *Table) Duration(o Option) Duration { return Duration{t.add(o)} }

// Number adds a number option.
func (t *Table) Number(o Option) Number { return Number{t.add(o)} }

// Toggle adds a toggle option.
func (t *Table) Toggle(o Option) Toggle {
	o.toggle = true
	return Toggle{t.add(o)}
}

// Choice adds a choice option.
func (t *Table) Choice(o Option) Choice { return Choice{t.add(o)} }

// Address adds an address option.
func (t *Table) Address(o Option) Address { return Address{t.add(o)} }

// All returns all options.
func (t *Table) All() []*Option { return slices.Clone(t.all) }

// OfField returns the option that sets a configuration field, or nil.
func (t *Table) OfField(name string) *Option {
	i := slices.IndexFunc(t.all, func(o *Option) bool { return o.Field != "" && o.Field == name })
	if i < 0 {
		return nil
	}
	return t.all[i]
}

// OfName returns the option with a flag of that name, or nil.
func (t *Table) OfName(name string) *Option {
	i := slices.IndexFunc(t.all, func(o *Option) bool { return name != "" && (name == o.Name || name == o.Alias) })
	if i < 0 {
		return nil
	}
	return t.all[i]
}

// Env returns the option's environment twin.
func (o *Option) Env() string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(o.Name, "-", "_"))
}

// IsToggle reports whether the flag takes no value.
func (o *Option) IsToggle() bool { return o.toggle }

// raw holds a flag's text as given. Nothing is checked during parsing, as urfave would stop at the first fault.
type raw struct {
	text   string
	toggle bool
}

func (r *raw) Set(s string) error { r.text = s; return nil }
func (r *raw) String() string     { return r.text }

// IsBoolFlag lets the flag stand without a value.
func (r *raw) IsBoolFlag() bool { return r.toggle }

// Flag is an option as urfave takes it.
type Flag struct {
	*cli.GenericFlag
	// Option is the row of the table.
	Option *Option
}

// Flag returns the option for urfave. A cli.GenericFlag takes an empty variable for an unset one, as the
// contract says; urfave's other flags do not.
func (o *Option) Flag() *Flag {
	f := &cli.GenericFlag{Name: o.Name, Usage: o.Usage, Category: o.Group, EnvVars: []string{o.Env()}, Value: &raw{text: o.Default, toggle: o.toggle}}
	if o.Alias != "" {
		f.Aliases = []string{o.Alias}
	}
	return &Flag{f, o}
}

// Synopsis returns the flag with the name of its value, such as "--namespace, -n NAME". A flag that takes no value has none,
// unless it is true by default: then only a value makes sense.
func (o *Option) Synopsis() string {
	names := "--" + o.Name
	if len(o.Alias) == 1 {
		names += ", -" + o.Alias
	}
	switch {
	case !o.toggle:
		return names + " " + o.Value
	case o.Default == "true":
		return names + "=" + o.Value
	}
	return names
}

// DefaultText returns the default for a reader; "" if there is none, or if it is false.
func (o *Option) DefaultText() string {
	if o.toggle && o.Default == "false" {
		return ""
	}
	return cmp.Or(o.Describe, o.Default)
}
