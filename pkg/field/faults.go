package field

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/go-multierror"
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

// Wrong adds an [*Error]. Want is a format for args.
func (f *Faults) Wrong(name, value, want string, args ...any) {
	f.Add(&Error{Field: name, Value: value, Want: fmt.Sprintf(want, args...)})
}

// Nested adds the faults of the configuration that is in the field name, each under the path from there.
func (f *Faults) Nested(name string, err error) {
	for _, single := range Flatten(err) {
		if one, ok := errors.AsType[*Error](single); ok {
			single = Named(name+"."+one.Field, one)
		}
		f.Add(single)
	}
}

// Err returns all faults as a [*multierror.Error], a line each; nil where there are none.
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
