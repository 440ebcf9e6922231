//go:build linux

package fleet

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/lease"
	"github.com/lease-sidecar/lease-sidecar/pkg/naming"
)

// transcript is what happened, a line for each event, in an order that does not depend on which of several goroutines
// ran first at one instant. Guarded by the world's lock.
type transcript struct {
	keep   Keep
	lines  []line
	counts map[string]int
	mute   map[string]bool // dead processes: their lines are dropped
}

// Keep says how much of a transcript is kept.
type Keep int

// The counts alone; a digest of the transcript without what the processes log; all of it.
const (
	Counts Keep = iota
	Digest
	Everything
)

type line struct {
	at           time.Duration
	who, channel string
	number       int // of the lines of that channel
	text         string
}

func newTranscript(k Keep) transcript {
	return transcript{keep: k, counts: map[string]int{}, mute: map[string]bool{}}
}

// say adds a line. The caller holds the world's lock.
func (w *world) say(who, channel, format string, args ...any) {
	if w.keep == Counts || w.mute[who] {
		return
	}
	w.counts[who+channel]++
	w.lines = append(w.lines, line{w.now(), who, channel, w.counts[who+channel], fmt.Sprintf(format, args...)})
}

// sayLocking is say, for a caller that does not hold the world's lock.
func (w *world) sayLocking(who, channel, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.say(who, channel, format, args...)
}

// note adds a line about the whole world.
func (w *world) note(text string) { w.sayLocking(everybody, "faults", "%s", text) }

// everybody is the name in the lines about the whole world, which come first at one instant.
const everybody = "(world)"

// sorted returns the lines in their one order.
func (t transcript) sorted() []line {
	slices.SortFunc(t.lines, func(a, b line) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.who, b.who), cmp.Compare(a.channel, b.channel), a.number-b.number)
	})
	return t.lines
}

// digest returns a hash of the transcript.
func (t transcript) digest() uint64 {
	h := sha256.New()
	for _, l := range t.sorted() {
		_ = binary.Write(h, binary.LittleEndian, int64(l.at))
		_, _ = io.WriteString(h, l.who+"\x00"+l.channel+"\x00"+l.text+"\x00")
	}
	return binary.LittleEndian.Uint64(h.Sum(nil))
}

// text returns the transcript.
func (t transcript) text() string {
	var b strings.Builder
	for _, l := range t.sorted() {
		fmt.Fprintf(&b, "%15.9f  %-10s %-6s %s\n", l.at.Seconds(), l.who, l.channel, l.text)
	}
	return b.String()
}

// logOf returns a log of a process, which writes into the transcript where all of it is kept.
func (w *world) logOf(who, channel string) *slog.Logger {
	if w.keep != Everything {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(&scribe{w, who, channel})
}

// scribe is a slog handler that writes into the transcript.
type scribe struct {
	w            *world
	who, channel string
}

func (*scribe) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }
func (s *scribe) WithAttrs([]slog.Attr) slog.Handler         { return s }
func (s *scribe) WithGroup(string) slog.Handler              { return s }

// Handle implements [slog.Handler].
func (s *scribe) Handle(_ context.Context, r slog.Record) error {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += " " + a.String()
		return true
	})
	s.w.say(s.who, s.channel, "%s", strings.ReplaceAll(text, s.w.dir, "volumes"))
	return nil
}

func describeChange(e lease.Event) string {
	r := e.Record
	switch {
	case e.Deleted:
		return "deleted"
	case r.Released():
		return "released"
	case r.Holder == "":
		return fmt.Sprintf("nobody's, mark %q", nameOf(r.Mark))
	}
	return fmt.Sprintf("%s, %d s, transitions %d, mark %q, renewed %s", nameOf(r.Holder), r.DurationSeconds,
		r.Transitions, nameOf(r.Mark), r.RenewTime.Format("05.000000"))
}

// nameOf shortens an identity, or a mark.
func nameOf(identity string) string {
	id, rest, _ := strings.Cut(identity, " ")
	n := naming.Identity(id)
	if tail := strings.TrimLeft(strings.TrimPrefix(id, n.Name()+"_00000000-0000-4000-8000-"), "0"); tail != id && tail != "" {
		id = n.Name() + "_" + tail
	}
	return strings.TrimSpace(id + " " + rest)
}
