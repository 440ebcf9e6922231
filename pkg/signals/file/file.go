//go:build linux

// Package file is the signal in a directory that is shared with the workload, in two files. state.json holds the
// leadership document and is always there. leader is there only while this replica leads.
//
// It promises that a reader finds whole files; that the leader file is removed before the document says "not leading";
// and that the leader file's modification time is the end of the term. It does not promise that a reader is stopped who
// looks late and ignores that time.
//
// At start the caller does this, in this order: [CheckDir] while the configuration is read, which changes nothing; the
// directory's lock (package elector's hold file), so that no other sidecar writes there; [New]; [Signal.Adopt], which
// decides what a dead sidecar left; and then Apply with each leadership.
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

// errLapsed stops the making of a leader file whose term ran out meanwhile.
var errLapsed = errors.New("the term expired while its leader file was being written")

// Signal writes the two files. state.json is rewritten with each leadership. leader holds the token and a newline, and its
// modification time is validUntil, so that the file of a dead sidecar shows its age in any language.
//
// Other processes may have put anything into the directory: no link is followed, and only files that this Signal made are
// trusted. Its methods may be called from several goroutines at once.
type Signal struct {
	clock  bootclock.Clock
	log    *slog.Logger
	volume *volume

	mu     sync.Mutex // Adopt against Apply
	leader *os.File   // the leader file that we made; nil when there is none
	token  string     // its token
}

var _ signals.Signal = (*Signal)(nil)

// New opens the directory, which must exist, and changes nothing in it. It fails where the directory cannot be opened.
func New(dir string, clock bootclock.Clock, log *slog.Logger) (*Signal, error) {
	v, err := openVolume(dir)
	if err != nil {
		return nil, err
	}
	return &Signal{clock: clock, log: log, volume: v}, nil
}

// Name returns "file".
func (f *Signal) Name() string { return "file" }

// Close closes the directory and leaves the files as they are.
func (f *Signal) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forget()
	return f.volume.close()
}

// Apply writes both files. On gain the document comes first and the leader file last; on loss the leader file goes first. A
// leadership whose term has run out counts as "not leading", however late Apply comes to it. The error says how to fix the
// fault, and stays the same while the fault does.
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

// raise writes "leading": first the document, which holds the exact deadline, then the leader file.
func (f *Signal) raise(l leadership.Leadership) error {
	if err := f.state(l); err != nil {
		return err
	}
	if f.token == l.Token && f.intact() {
		if err := setTime(f.leader, l.ValidUntilWall); err != nil {
			return f.volume.fault("set the time of", leadership.LeaderFile, err)
		}
		return nil
	}
	// Judged once more before the rename, as the writing may have taken long.
	made, err := f.volume.put(leadership.LeaderFile, []byte(line(l.Token)), l.ValidUntilWall, func() error {
		if l.At(f.clock.Now()).IsLeader {
			return nil
		}
		return errLapsed
	})
	if err != nil {
		return err
	}
	f.forget()
	f.leader, f.token = made, l.Token
	return nil
}

// intact reports whether our leader file is still in its place with the content that we wrote.
func (f *Signal) intact() bool {
	if !f.volume.holds(leadership.LeaderFile, f.leader) {
		return false
	}
	content, err := io.ReadAll(io.NewSectionReader(f.leader, 0, maxRead))
	return err == nil && string(content) == line(f.token)
}

// line is what the leader file holds: shells read a line.
func line(token string) string { return token + "\n" }

// lower writes "not leading". Each step is tried whatever became of the one before, and has a second best: a leader file
// that cannot be removed is made to look old; a document that cannot be rewritten is removed, which every reader takes for
// "not leading" and which gives a full volume room for the new one.
func (f *Signal) lower(l leadership.Leadership) error {
	removed := f.volume.remove(leadership.LeaderFile)
	if removed != nil {
		f.makeOld()
	} else {
		f.forget()
	}
	written := f.state(l)
	if written != nil && f.volume.remove(leadership.StateFile) == nil {
		written = f.state(l)
	}
	return errors.Join(removed, written)
}

// makeOld sets the time of the leader file far back, through our own descriptor where that is still the file.
func (f *Signal) makeOld() {
	long := time.Unix(0, 0)
	if f.volume.holds(leadership.LeaderFile, f.leader) {
		_ = setTime(f.leader, long) // the caller returns the greater fault: the file is still there
		return
	}
	if found, err := f.volume.open(leadership.LeaderFile); err == nil {
		_ = setTime(found, long)
		_ = found.Close()
	}
}

func (f *Signal) state(l leadership.Leadership) error {
	document, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("print the leadership document: %w", err)
	}
	made, err := f.volume.put(leadership.StateFile, append(document, '\n'), time.Time{}, nil)
	if err != nil {
		return err
	}
	return made.Close()
}

// forget closes our descriptor of the leader file.
func (f *Signal) forget() {
	if f.leader != nil {
		_ = f.leader.Close() // nothing was written through it since it was renamed
	}
	f.leader, f.token = nil, ""
}
