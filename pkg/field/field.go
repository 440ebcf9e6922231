// Package field holds the error for a configuration field with a wrong value. Validate methods return all of their faults at
// once; a command line turns the field's name into its flag's.
//
// It promises that an error keeps the field, the value and what is wanted apart, so that a caller can name its own flag. It
// does not promise that the field is a path from the outermost configuration: a package that nests a Config puts its field's
// name before ([Faults.Nested]).
package field

import (
	"errors"
	"fmt"
	"strconv"
)

// Error says that one field of a configuration has a wrong value.
type Error struct {
	// Field names it as the Config struct does, such as "RenewDeadline".
	Field string
	// Value is the value as a person would write it, such as "10s"; "" where the field is not set.
	Value string
	// Want says what would do, and names no flag: "at least 1s and at most half of the renew deadline 10s".
	Want string
}

// Error says which field, which value and what is wanted.
func (e *Error) Error() string {
	if e.Value == "" {
		return fmt.Sprintf("%s is not set: want %s", e.Field, e.Want)
	}
	return fmt.Sprintf("%s %s: want %s", e.Field, e.Value, e.Want)
}

// Quoted returns an [*Error] that shows a text in quotes. Want is a format for args.
func Quoted(name, text, want string, args ...any) error {
	return &Error{Field: name, Value: strconv.Quote(text), Want: fmt.Sprintf(want, args...)}
}

// Named returns the [*Error] in err under another field's name, and any other error as it is.
func Named(name string, err error) error {
	if one, ok := errors.AsType[*Error](err); ok {
		return &Error{Field: name, Value: one.Value, Want: one.Want}
	}
	return err
}
