package logwriter

import (
	"log/slog"
	"strings"
	"time"
)

// Value is a ReplaceAttr of [slog.HandlerOptions]: it shows a duration as a text that is rounded to milliseconds, such as
// "1.235s", and an error of several lines in one.
func Value(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindDuration:
		a.Value = slog.StringValue(a.Value.Duration().Round(time.Millisecond).String())
	case slog.KindAny:
		if err, is := a.Value.Any().(error); is && strings.Contains(err.Error(), "\n") {
			a.Value = slog.StringValue(oneLine(err.Error()))
		}
	default:
	}
	return a
}

// oneLine joins the lines of a text, which may be a heading with a list below it.
func oneLine(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimPrefix(strings.TrimSpace(line), "* "); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.ReplaceAll(strings.Join(lines, "; "), ":; ", ": ")
}
