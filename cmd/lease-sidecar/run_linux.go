package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/lease-sidecar/lease-sidecar/internal/guard"
	"github.com/lease-sidecar/lease-sidecar/internal/logwriter"
	"github.com/lease-sidecar/lease-sidecar/internal/sidecar"
	"github.com/lease-sidecar/lease-sidecar/internal/stops"
	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
)

// runSidecar is the action of `run`.
func runSidecar(c *cli.Context) error {
	a := answersOf(c)
	config, choice := a.config()
	if err := a.err(); err != nil {
		return err
	}
	keepHeapSmall()
	keepDispositions()
	log, end := choice.open(c.App.ErrWriter)
	defer end()
	warnOfUnknown(log, os.Environ())
	config.Log = log
	s, err := sidecar.New(config)
	if err != nil {
		return runError(err)
	}
	ctx, again, release := stops.Catch(c.Context, stops.Signals(config.Command != nil))
	defer release()
	return runError(s.Run(ctx, again))
}

// keepHeapSmall has the runtime collect garbage once the heap has grown by half, unless GOGC is set. It saves a leader at rest
// about 1 MiB beside the default of 100, for no CPU that can be measured (docs/adr/0010-no-dropped-pages.md).
func keepHeapSmall() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
}

// runError adds the exit code to a sidecar's error, and names the flag of a field.
func runError(err error) error {
	if collision, ok := errors.AsType[*elector.CollisionError](err); ok {
		return exit{exitCollision, fmt.Errorf("%w; --prefix or --lease-name sets the name", collision)}
	}
	if errors.Is(err, elector.ErrLeadershipLost) {
		return exit{exitLost, err}
	}
	if resource, ok := errors.AsType[*sidecar.ResourceError](err); ok {
		code := exitFault
		if slices.Contains([]string{"HTTPAddress", "ProbeAddress", "DebugAddress"}, resource.Field) {
			code = exitNo // another process uses it
		}
		return exit{code, fmt.Errorf("--%s: %w", table.OfField(resource.Field).Name, resource.Unwrap())}
	}
	if status, ok := errors.AsType[sidecar.CommandStatus](err); ok {
		return exit{int(status), err}
	}
	return err
}

// keepDispositions makes this process ignore SIGQUIT if it was started so, and survive the reader of its output. It changes
// nothing that a started process would inherit.
func keepDispositions() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // otherwise a failed write to a closed pipe would end the program
	if slices.Contains(guard.Ignored(), syscall.SIGQUIT) {
		signal.Ignore(syscall.SIGQUIT)
	}
}

// logChoice says how the log is written.
type logChoice struct {
	format string // json or text
	level  slog.Level
}

// open returns a log on w that never blocks: if w accepts no more, lines are lost and counted. Call end when done.
func (c logChoice) open(w io.Writer) (log *slog.Logger, end func()) {
	out := logwriter.New(w, c.lost)
	return c.to(out), func() { out.Close(lastLine) }
}

// to returns a log that writes to w itself.
func (c logChoice) to(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.level, ReplaceAttr: logwriter.Value}
	if c.format == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// lost returns the line that reports a number of lost lines.
func (c logChoice) lost(lines int) []byte {
	var line bytes.Buffer
	c.to(&line).Error("log lines were lost: nobody read the log, or it could not be written", "reason", "LogLinesLost", "lines", lines)
	return line.Bytes()
}
