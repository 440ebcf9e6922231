// Package options is the options of a command line: one row each in a [Table], with the environment twin, the default and the usage.
// A value is read by the typed handle of its row, so that a misspelt name does not compile. Faults are gathered in [Answers], and
// reported all at once; a field error of a configuration finds the option that sets the field.
//
// It promises that an option has the flag's value, else the variable's, else the default, where an empty variable counts as unset. It
// does not promise that values suit each other: the Validate methods of the configurations judge that.
package options

import (
	"cmp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// EnvPrefix begins every environment twin. A Service named lease-sidecar makes Kubernetes set LEASE_SIDECAR_PORT,
// LEASE_SIDECAR_SERVICE_HOST and the like: no option may be named so.
const EnvPrefix = "LEASE_SIDECAR_"

// Option is one row of the table.
type Option struct {
	// Name is the flag's, without dashes. Alias is a second name. Former is the name until this release, which still works, with
	// its environment twin. Alias and Former may be "".
	Name, Alias, Former string
	// Default is the value where none is given; Describe is the default in prose, where it has no fixed value.
	Default, Describe string
	// Group is the group in the help text; "" for none.
	Group string
	// Value stands for the value in the help text, in capitals. Usage is what the option does, in one line. Detail, whole sentences, is
	// only in the manual page and the reference; "" for none.
	Value, Usage, Detail string
	// Suggest are values that a shell completes, besides the Choices. One that ends with a colon begins a path.
	Suggest []string
	// Path is what a shell completes as the value, or after a Suggest with a colon.
	Path Path
	// Field is the field of the configuration that the option sets, such as "Election.RenewDeadline"; "" for none.
	Field string
	// Needs is a field that the option needs, and that no option sets, such as "Pod", which the environment does; "" for none.
	Needs string
	// Choices are the values of a [Choice]. Least and Most bound a [Number].
	Choices     []string
	Least, Most int

	toggle bool // needs no value
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

// Table is all options, in the order of the help text. Its methods add a row and return its handle.
type Table struct{ all []*Option }

func (t *Table) add(o Option) *Option {
	t.all = append(t.all, &o)
	return &o
}

// Text adds an option of that kind.
func (t *Table) Text(o Option) Text { return Text{t.add(o)} }

// Duration adds an option of that kind.
func (t *Table) Duration(o Option) Duration { return Duration{t.add(o)} }

// Number adds an option of that kind.
func (t *Table) Number(o Option) Number { return Number{t.add(o)} }

// Toggle adds an option of that kind.
func (t *Table) Toggle(o Option) Toggle {
	o.toggle = true
	return Toggle{t.add(o)}
}

// Choice adds an option of that kind.
func (t *Table) Choice(o Option) Choice { return Choice{t.add(o)} }

// Address adds an option of that kind.
func (t *Table) Address(o Option) Address { return Address{t.add(o)} }

// All returns all options.
func (t *Table) All() []*Option { return slices.Clone(t.all) }

// OfField returns the option that sets a field of the configuration; nil where none does.
func (t *Table) OfField(name string) *Option {
	i := slices.IndexFunc(t.all, func(o *Option) bool { return o.Field != "" && o.Field == name })
	if i < 0 {
		return nil
	}
	return t.all[i]
}

// OfName returns the option with that name of a flag, whichever of its names that is; nil where there is none.
func (t *Table) OfName(name string) *Option {
	i := slices.IndexFunc(t.all, func(o *Option) bool { return name != "" && slices.Contains([]string{o.Name, o.Alias, o.Former}, name) })
	if i < 0 {
		return nil
	}
	return t.all[i]
}

// Env returns the option's environment twin.
func (o *Option) Env() string { return envOf(o.Name) }

func envOf(name string) string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// Variables returns all variables that set the option, its twin first.
func (o *Option) Variables() []string {
	all := []string{o.Env()}
	if o.Former != "" {
		all = append(all, envOf(o.Former))
	}
	return all
}

// IsToggle reports whether the flag needs no value.
func (o *Option) IsToggle() bool { return o.toggle }

// raw holds a flag's text as it was given. Nothing is judged while urfave parses: it would stop at the first fault.
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

// Flag returns the option for urfave, with the given variables. A cli.GenericFlag takes an empty variable for an unset one, as the
// contract says; urfave's other flags do not.
func (o *Option) Flag(variables []string) *Flag {
	f := &cli.GenericFlag{Name: o.Name, Usage: o.Usage, Category: o.Group, EnvVars: variables, Value: &raw{text: o.Default, toggle: o.toggle}}
	for _, name := range []string{o.Alias, o.Former} {
		if name != "" {
			f.Aliases = append(f.Aliases, name)
		}
	}
	return &Flag{f, o}
}

// Synopsis returns the flag with what stands for its value, such as "--namespace, -n NAME". A flag that needs no value has none,
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

// DefaultText returns the default as a reader sees it; "" where there is none, and where the flag is false without being given.
func (o *Option) DefaultText() string {
	if o.toggle && o.Default == "false" {
		return ""
	}
	return cmp.Or(o.Describe, o.Default)
}
