package leadership

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

// The files of the signal directory.
const (
	// StateFile always exists while a sidecar runs and holds the leadership document.
	StateFile = "state.json"
	// MembersFile holds the document of the members while a sidecar with membership runs. Its modification time is the instant
	// from which it is out of date.
	MembersFile = "members.json"
	// LeaderFile exists only while this replica leads; its modification time is validUntil on the wall clock.
	LeaderFile = "leader"
)

// Read returns what the sidecar's signal directory says of this replica now, judged by the boot clock. It leads only by a
// whole document of this boot, before its deadline. Any error (no file, an unreadable, half or foreign one, no boot clock on
// this system) means that nothing is known: take it for "not leading". The Leader of a standby is as old as the document.
func Read(dir string) (Leadership, error) {
	bootID, err := bootclock.ID()
	if err != nil {
		return Leadership{}, err
	}
	return read(dir, bootclock.System{}, bootID)
}

func read(dir string, clock bootclock.Clock, bootID string) (Leadership, error) {
	b, err := readRegular(filepath.Join(dir, StateFile))
	if err != nil {
		return Leadership{}, fmt.Errorf("read leadership: %w", err)
	}
	var l Leadership
	if err := json.Unmarshal(b, &l); err != nil {
		return Leadership{}, fmt.Errorf("read leadership from %s: %w", dir, err)
	}
	if l.BootID != bootID {
		l = l.ended() // this boot's clock cannot judge it
		l.Leader = ""
		return l, nil
	}
	// The clock is read last: the time that the reading took counts against the term.
	return l.At(clock.Now()), nil
}

// readRegular reads a small regular file. It neither follows a link nor waits on a pipe that somebody put there.
func readRegular(path string) ([]byte, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	switch info, err := f.Stat(); {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, DocumentMax+1))
	if err != nil {
		return nil, err
	}
	if len(b) > DocumentMax {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, DocumentMax)
	}
	return b, nil
}
