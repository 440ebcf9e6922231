package main

import (
	"bytes"
	"io"
	"log/slog"

	"github.com/lease-sidecar/lease-sidecar/internal/logwriter"
)

// logChoice is how the log is written.
type logChoice struct {
	format string // json or text
	level  slog.Level
}

// open returns the log on w, which holds up nobody: where w takes no more, lines are lost, and counted. Call end when done:
// it waits for the last lines for a moment.
func (c logChoice) open(w io.Writer) (log *slog.Logger, end func()) {
	out := logwriter.New(w, c.lost)
	return c.to(out), func() { out.Close(lastLine) }
}

// to returns a log that writes to w itself.
func (c logChoice) to(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.level}
	if c.format == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// lost returns the line that says how many were lost.
func (c logChoice) lost(lines int) []byte {
	var line bytes.Buffer
	c.to(&line).Error("log lines were lost: nobody read the log, or it could not be written", "lines", lines)
	return line.Bytes()
}
