package elector

import (
	"log/slog"
	"time"
)

// note is a line for the log.
type note struct {
	severity slog.Level
	reason   reason
	text     string
	attrs    []slog.Attr
}

// all returns the record's attributes, its reason first.
func (n note) all() []slog.Attr {
	if n.reason == "" {
		return n.attrs
	}
	return append([]slog.Attr{slog.String("reason", string(n.reason))}, n.attrs...)
}

// reason is the stable name of a log record, to find it by and to alert on. Records for debugging have none.
type reason string

// Why a term ended.
const (
	released              reason = "Released" // the only end that was planned
	renewDeadlineExceeded reason = "RenewDeadlineExceeded"
	holderChanged         reason = "HolderChanged"
	holderCleared         reason = "HolderCleared"
	leaseDeleted          reason = "LeaseDeleted"
	storeRestored         reason = "StoreRestored"
	workloadCollision     reason = "WorkloadCollision"
	twinIdentity          reason = "TwinIdentity"
	drainAbandoned        reason = "DrainAbandoned"
)

func (m *machine) note(severity slog.Level, r reason, text string, attrs ...slog.Attr) {
	m.out.notes = append(m.out.notes, note{severity, r, text, attrs})
}

func (m *machine) info(r reason, text string, attrs ...slog.Attr) {
	m.note(slog.LevelInfo, r, text, attrs...)
}

func (m *machine) warn(r reason, text string, attrs ...slog.Attr) {
	m.note(slog.LevelWarn, r, text, attrs...)
}

func (m *machine) debug(text string, attrs ...slog.Attr) {
	m.note(slog.LevelDebug, "", text, attrs...)
}

// detail is what a log record says in prose.
func detail(text string) slog.Attr { return slog.String("detail", text) }

func span(key string, d time.Duration) slog.Attr {
	return slog.String(key, d.Round(time.Millisecond).String())
}
