package main

import (
	"io"
	"log/slog"
)

// logChoice is how the log is written.
type logChoice struct {
	format string // json or text
	level  slog.Level
}

// open returns the log on w.
func (c logChoice) open(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.level}
	if c.format == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}
