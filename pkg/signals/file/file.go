//go:build linux

// Package file signals by two files in a directory that is shared with the workload. state.json holds the leadership
// document and is always there. leader is there only while this replica leads.
//
// It promises that readers never see half a file, that the leader file is removed before the document says "not leading",
// and that the leader file's modification time is the end of the term. It does not promise to stop a reader that looks late
// and ignores that time.
//
// Order of calls at start: [CheckDir] while the configuration is read; then the directory's lock (package elector's hold
// file), so that no other sidecar writes there; [New]; [Signal.Adopt]; and then Apply with each leadership.
package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
	"github.com/lease-sidecar/lease-sidecar/pkg/leadership"
	"github.com/lease-sidecar/lease-sidecar/pkg/signals"
)

// rewriteInterval is how often a document that stays the same is written again.
const rewriteInterval = time.Minute

// errLapsed stops the writing of a leader file whose term has meanwhile ended.
var errLapsed = errors.New("the term expired while its leader file was being written")

// Signal writes the two files. leader holds the token and a newline; its modification time is validUntil, so that readers in
// any language see when the file of a dead sidecar is out of date.
//
// Others may write to the directory, so links are not followed and only own files are trusted. It is safe for concurrent use.
type Signal struct {
	clock  bootclock.Clock
	log    *slog.Logger
	volume *volume

	mu     sync.Mutex        // Adopt against Apply
	leader own               // the leader file
	state  own               // the document
	anew   bootclock.Instant // when it is written again, though it stays the same
}

// own is a file that this Signal made, as it was written; the zero value is none.
type own struct {
	file    *os.File
	content string
}

var _ signals.Signal = (*Signal)(nil)

// New opens an existing directory. It changes nothing in it.
func New(dir string, clock bootclock.Clock, log *slog.Logger) (*Signal, error) {
	v, err := openVolume(dir)
	if err != nil {
		return nil, err
	}
	return &Signal{clock: clock, log: log, volume: v}, nil
}

// Name returns "file".
func (f *Signal) Name() string { return "file" }

// Close closes the directory and leaves the files in place.
func (f *Signal) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.leader.forget()
	f.state.forget()
	return f.volume.root.Close()
}

// Apply writes both files. On gain the document comes first and the leader file last; on loss the leader file goes first. A
// leadership whose term has ended counts as "not leading", however late Apply is called. The error says how to fix the
// fault, and its text stays the same while the fault does.
func (f *Signal) Apply(_ context.Context, l leadership.Leadership) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	l = l.At(f.clock.Now())
	if !l.IsLeader {
		return f.lower(l)
	}
	err := f.raise(l)
	if late := l.At(f.clock.Now()); !late.IsLeader {
		return f.lower(late)
	}
	return err
}

// raise writes "leading": first the document, which has the exact deadline, then the leader file.
func (f *Signal) raise(l leadership.Leadership) error {
	if err := f.document(l); err != nil {
		return err
	}
	content := line(l.Token)
	if f.intact(leadership.LeaderFile, f.leader, content) {
		if err := setTime(f.leader.file, l.ValidUntilWall); err != nil {
			return f.volume.fault("set the time of", leadership.LeaderFile, err)
		}
		return nil
	}
	// Check again before the rename: the write may have taken long.
	made, err := f.volume.put(leadership.LeaderFile, []byte(content), l.ValidUntilWall, func() error {
		if l.At(f.clock.Now()).IsLeader {
			return nil
		}
		return errLapsed
	})
	if err != nil {
		return err
	}
	f.leader.replace(made, content)
	return nil
}

// intact reports whether our own file is in place under that name with that content: somebody else may have written to it.
func (f *Signal) intact(name string, o own, content string) bool {
	if o.content != content || !f.volume.holds(name, o.file) {
		return false
	}
	found, err := io.ReadAll(io.NewSectionReader(o.file, 0, maxRead))
	return err == nil && string(found) == content
}

// line is the leader file's content: shells read lines.
func line(token string) string { return token + "\n" }

// lower writes "not leading". It tries every step even if one fails, and each step has a fallback. A leader file that cannot
// be removed gets an old time. A document that cannot be rewritten is removed: readers take that for "not leading", and it
// frees space on a full volume for the new one.
func (f *Signal) lower(l leadership.Leadership) error {
	removed := f.volume.remove(leadership.LeaderFile)
	if removed != nil {
		f.makeOld()
	} else {
		f.leader.forget()
	}
	written := f.document(l)
	if written != nil && f.volume.remove(leadership.StateFile) == nil {
		written = f.document(l)
	}
	return errors.Join(removed, written)
}

// makeOld sets the leader file's time far back, through our own descriptor if that is still the file.
func (f *Signal) makeOld() {
	long := time.Unix(0, 0)
	if f.volume.holds(leadership.LeaderFile, f.leader.file) {
		_ = setTime(f.leader.file, long) // the caller returns the worse fault: the file still exists
		return
	}
	if found, err := f.volume.open(leadership.LeaderFile); err == nil {
		_ = setTime(found, long)
		_ = found.Close()
	}
}

// document writes the document, unless it stands there already: a standby learns of each renewal, and its document stays the
// same. A new file for each would be most of what a standby costs, and would wake every workload that watches the directory. One
// a minute shows that the volume is full before this replica leads.
func (f *Signal) document(l leadership.Leadership) error {
	document, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("print the leadership document: %w", err)
	}
	content := line(string(document))
	if f.intact(leadership.StateFile, f.state, content) && f.clock.Now().Before(f.anew) {
		return nil
	}
	made, err := f.volume.put(leadership.StateFile, []byte(content), time.Time{}, nil)
	if err != nil {
		return err
	}
	if l.IsLeader { // the next one differs
		f.state.forget()
		return made.Close()
	}
	f.state.replace(made, content)
	f.anew = f.clock.Now().Add(rewriteInterval)
	return nil
}

// replace takes a new file in place of the one before.
func (o *own) replace(made *os.File, content string) {
	o.forget()
	*o = own{made, content}
}

func (o *own) forget() {
	if o.file != nil {
		_ = o.file.Close() // nothing was written through it since the rename
	}
	*o = own{}
}

// Members replaces the document of the members, whose modification time becomes the end of its validity; nil removes it.
func (f *Signal) Members(document []byte, validUntil time.Time) error {
	if document == nil {
		return f.volume.remove(leadership.MembersFile)
	}
	made, err := f.volume.put(leadership.MembersFile, append(document, '\n'), validUntil, nil)
	if err != nil {
		return err
	}
	return made.Close()
}
