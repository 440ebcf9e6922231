package main

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/lease-sidecar/lease-sidecar/pkg/field"
)

// faults gathers faults of configuration, so that all are reported at once.
type faults struct {
	list  *multierror.Error
	wrong map[*option]bool // whose value has been noted as a fault
}

// add takes an error apart into its faults; nil adds none.
func (f *faults) add(err error) {
	for _, single := range flatten(err) {
		f.list = multierror.Append(f.list, single)
	}
}

func (f *faults) addf(format string, args ...any) { f.add(fmt.Errorf(format, args...)) }

// refuse notes an option's value as a fault, and what would do.
func (a answers) refuse(h handle, want string) {
	o := h.spec()
	a.of(h, &field.Error{Value: strconv.Quote(a.given(o)), Want: want})
}

// unreadable notes that an option's value cannot be read; nil notes nothing.
func (a answers) unreadable(h handle, err error) {
	if o := h.spec(); err != nil {
		a.wrong[o] = true
		a.addf("--%s %q: %w", o.name, a.given(o), err)
	}
}

// of notes the faults of an option's value under its name.
func (a answers) of(h handle, err error) {
	o := h.spec()
	for _, single := range flatten(err) {
		a.wrong[o] = true
		one, ok := errors.AsType[*field.Error](single)
		switch {
		case !ok:
			a.addf("%w (--%s)", single, o.name)
		case one.Value == "":
			a.addf("--%s: want %s", o.name, one.Want)
		default:
			a.addf("--%s %s: want %s", o.name, one.Value, one.Want)
		}
	}
}

// fields notes the faults of the configuration's fields, each under its option. An option whose value is noted already is left
// out. One that was not given, but follows from others of the same group, is only blamed where none of those is.
func (a answers) fields(err error) {
	noted, all := maps.Clone(a.wrong), flatten(err)
	blamed := map[string]bool{} // groups in which a given option is wrong
	for _, single := range all {
		if o := optionOfError(single); o != nil && a.given(o) != "" {
			blamed[o.group()] = true
		}
	}
	for _, single := range all {
		switch o := optionOfError(single); {
		case o == nil:
			a.add(single)
		case noted[o], a.given(o) == "" && blamed[o.group()]:
		default:
			a.of(o, single)
		}
	}
}

func optionOfError(err error) *option {
	if one, ok := errors.AsType[*field.Error](err); ok {
		return optionOf(one.Field)
	}
	return nil
}

// optionOf returns the option that sets a field of the configuration; nil where none does.
func optionOf(name string) *option {
	for _, o := range options {
		if o.field != "" && o.field == name {
			return o
		}
	}
	return nil
}

// group returns the nested configuration that the option's field is in.
func (o *option) group() string {
	group, _, _ := strings.Cut(o.field, ".")
	return group
}

// err returns all faults as one error with exit code 2, or nil where there are none.
func (f *faults) err() error {
	if f.list == nil {
		return nil
	}
	f.list.ErrorFormat = listFaults
	return fault{f.list}
}

// severalErrors is what errors.Join makes, and fmt.Errorf of several errors.
type severalErrors interface{ Unwrap() []error }

// flatten returns the errors that errors.Join or multierror put together, wherever they nest. An error that merely
// wraps two others is one.
func flatten(err error) []error {
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
		flat = append(flat, flatten(single)...)
	}
	return flat
}

func listFaults(list []error) string {
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
