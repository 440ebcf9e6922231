package options

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/lease-sidecar/lease-sidecar/pkg/field"
)

// Faults gathers faults of configuration, so that all are reported at once. The zero value has none.
type Faults struct{ list *multierror.Error }

// Add takes an error apart into its faults; nil adds none.
func (f *Faults) Add(err error) {
	for _, single := range Flatten(err) {
		f.list = multierror.Append(f.list, single)
	}
}

// Addf adds one fault.
func (f *Faults) Addf(format string, args ...any) { f.Add(fmt.Errorf(format, args...)) }

// Err returns all faults as one error, a line each; nil where there are none.
func (f *Faults) Err() error {
	if f.list == nil {
		return nil
	}
	f.list.ErrorFormat = printFaults
	return f.list
}

func printFaults(list []error) string {
	if len(list) == 1 {
		return list[0].Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d configuration faults:", len(list))
	for _, err := range list {
		fmt.Fprintf(&b, "\n  * %v", err)
	}
	return b.String()
}

// severalErrors is what errors.Join makes, and fmt.Errorf of several errors.
type severalErrors interface{ Unwrap() []error }

// Flatten returns the errors that errors.Join or multierror put together, wherever they nest. An error that merely
// wraps two others is one.
func Flatten(err error) []error {
	if err == nil {
		return nil
	}
	var list []error
	switch several := err.(type) { //nolint:errorlint // the very value is taken apart, not what it wraps
	case *multierror.Error:
		list = several.Errors
	case severalErrors:
		if strings.Contains(err.Error(), "\n") {
			list = several.Unwrap()
		}
	}
	if list == nil {
		return []error{err}
	}
	var flat []error
	for _, single := range list {
		flat = append(flat, Flatten(single)...)
	}
	return flat
}

// Refuse notes an option's value as a fault, and what would do.
func (a *Answers) Refuse(h Handle, want string) {
	a.Of(h, &field.Error{Value: strconv.Quote(a.Given(h)), Want: want})
}

// Unreadable notes that an option's value cannot be read; nil notes nothing.
func (a *Answers) Unreadable(h Handle, err error) {
	if err != nil {
		a.Excuse(h)
		a.Addf("--%s %q: %w", h.Spec().Name, a.Given(h), err)
	}
}

// Of notes the faults of an option's value under its name; nil notes nothing.
func (a *Answers) Of(h Handle, err error) {
	name := h.Spec().Name
	for _, single := range Flatten(err) {
		a.Excuse(h)
		one, ok := errors.AsType[*field.Error](single)
		switch {
		case !ok:
			a.Addf("%w (--%s)", single, name)
		case one.Value == "":
			a.Addf("--%s: want %s", name, one.Want)
		default:
			a.Addf("--%s %s: want %s", name, one.Value, one.Want)
		}
	}
}

// Excuse has [Answers.Fields] note nothing about the option: what is wrong with it is noted already, or of another one.
func (a *Answers) Excuse(h Handle) { a.excused[h.Spec()] = true }

// Fields notes the faults of a configuration's fields, each under its option. An option that is excused is left out. One that was
// not given, but follows from others of the same nested configuration, is only blamed where none of those is. A fault of a field
// that no option sets names the given options that need the field.
func (a *Answers) Fields(err error) {
	excused, all := maps.Clone(a.excused), Flatten(err)
	blamed := map[string]bool{} // nested configurations in which a given option is wrong
	for _, single := range all {
		if o := a.optionOf(single); o != nil && a.Given(o) != "" {
			blamed[o.nesting()] = true
		}
	}
	for _, single := range all {
		switch o := a.optionOf(single); {
		case o == nil:
			a.needed(single)
		case excused[o], a.Given(o) == "" && blamed[o.nesting()]:
		default:
			a.Of(o, single)
		}
	}
}

// needed notes the fault of a field that no option sets.
func (a *Answers) needed(fault error) {
	one, isField := errors.AsType[*field.Error](fault)
	var flags []string
	for _, o := range a.table.all {
		if isField && o.Needs == one.Field && a.Given(o) != o.Default {
			flags = append(flags, "--"+o.Name)
		}
	}
	if flags == nil {
		a.Add(fault)
		return
	}
	a.Addf("%s: want %s; or leave that out", strings.Join(flags, " and "), one.Want)
}

// optionOf returns the option whose field the error is about; nil where there is none.
func (a *Answers) optionOf(err error) *Option {
	if one, ok := errors.AsType[*field.Error](err); ok {
		return a.table.OfField(one.Field)
	}
	return nil
}

// nesting returns the nested configuration that the option's field is in.
func (o *Option) nesting() string {
	nesting, _, _ := strings.Cut(o.Field, ".")
	return nesting
}
