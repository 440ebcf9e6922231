package kube

import (
	"context"
	"log/slog"

	"k8s.io/klog/v2"
)

// RouteClientLogs sends what client-go and its libraries log to log, at debug level, for the whole process.
// Otherwise they write to standard error in a format of their own. Debug, since whatever goes wrong in a request
// is also returned as an error and reported from there.
func RouteClientLogs(log *slog.Logger) {
	klog.SetSlogLogger(slog.New(lowered{log.Handler()}))
}

// lowered passes every record on at debug level.
type lowered struct{ slog.Handler }

// Enabled implements [slog.Handler].
func (l lowered) Enabled(ctx context.Context, _ slog.Level) bool {
	return l.Handler.Enabled(ctx, slog.LevelDebug)
}

// Handle implements [slog.Handler]. It asks again whether debug is enabled, as klog's errors come unasked.
func (l lowered) Handle(ctx context.Context, r slog.Record) error {
	if !l.Enabled(ctx, r.Level) {
		return nil
	}
	r.Level = slog.LevelDebug
	return l.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (l lowered) WithAttrs(attrs []slog.Attr) slog.Handler {
	return lowered{l.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (l lowered) WithGroup(name string) slog.Handler { return lowered{l.Handler.WithGroup(name)} }
