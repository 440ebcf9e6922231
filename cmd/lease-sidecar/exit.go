package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// Exit codes that scripts and probes rely on.
const (
	exitWell      = 0
	exitNo        = 1 // a negative answer, or a failure
	exitFault     = 2 // a configuration fault; of is-leader also "cannot tell"
	exitCollision = 3 // the Lease is another workload's
	exitLost      = 4 // leadership was lost, and --on-loss says exit
)

// errNo is a negative answer that needs no words.
var errNo = errors.New("no")

// fault marks an error as one of configuration (or, of is-leader, as "cannot tell").
type fault struct{ error }

func (f fault) Unwrap() error { return f.error }

// exit is an error with an exit code of its own.
type exit struct {
	code int
	error
}

func (e exit) Unwrap() error { return e.error }

func faultf(format string, args ...any) error { return fault{fmt.Errorf(format, args...)} }

func exitCode(err error) int {
	var own exit
	var configuration fault
	switch {
	case err == nil:
		return exitWell
	case errors.As(err, &own):
		return own.code
	case errors.As(err, &configuration):
		return exitFault
	}
	return exitNo
}

// complaint returns what to tell the user of err; "" where the exit code says all.
func complaint(err error) string {
	if err == nil || errors.Is(err, errNo) {
		return ""
	}
	return visible(err.Error())
}

// faults gathers faults of configuration, so that all are reported at once.
type faults struct{ list *multierror.Error }

// add takes an error apart into its faults; nil adds none.
func (f *faults) add(err error) {
	for _, single := range flatten(err) {
		f.list = multierror.Append(f.list, single)
	}
}

func (f *faults) addf(format string, args ...any) { f.add(fmt.Errorf(format, args...)) }

// err returns all faults as one error with exit code 2, or nil where there are none.
func (f *faults) err() error {
	if f.list == nil {
		return nil
	}
	f.list.ErrorFormat = listFaults
	return fault{f.list}
}

// flatten returns the errors that errors.Join or multierror put together, wherever they nest. An error that merely
// wraps two others is one.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	var list []error
	switch joined := err.(type) { //nolint:errorlint // the very value is taken apart, not what it wraps
	case *multierror.Error:
		list = joined.Errors
	case interface{ Unwrap() []error }:
		if strings.Contains(err.Error(), "\n") {
			list = joined.Unwrap()
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
