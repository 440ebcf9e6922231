package field

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// Faults gathers faults of configuration, so that all are reported at once. The zero value has none.
type Faults struct{ list *multierror.Error }

// Add adds a fault, or those of another [Faults]; nil adds none.
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

// Flatten returns the single faults of what [Faults.Err] returned, and any other error as the only one.
func Flatten(err error) []error {
	switch several := err.(type) { //nolint:errorlint // the very value is taken apart, not what it wraps
	case nil:
		return nil
	case *multierror.Error:
		return several.Errors
	}
	return []error{err}
}
