//go:build !linux

package demo

import (
	"context"
	"errors"
	"io"
)

// Config says how to show the play.
type Config struct {
	// Self is the program to run; Out takes the show; Live and Colour choose its form.
	Self         string
	Out          io.Writer
	Live, Colour bool
}

// Toy is a workload that works only while its signal directory says that this replica leads.
type Toy struct {
	// Dir is the signal directory, Drained tells that the work has stopped, Out takes the reports.
	Dir     string
	Drained func(context.Context) error
	Out     io.Writer
}

var errUnsupported = errors.New("the demo needs Linux: a boot clock that processes share")

// Run fails: the sidecar runs on Linux.
func Run(context.Context, Config) error { return errUnsupported }

// Run fails: there is no signal directory to read.
func (Toy) Run(context.Context) error { return errUnsupported }
