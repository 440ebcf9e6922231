// Package journal is what a process writes down of its own work: from when to when it ran, on the boot clock.
//
// Each process has a file of its own in its replica's folder. Each line is a stretch: the first and the last instant at
// which the process marked that it works. It marks every [Tick], so a stretch is at most that much shorter than the work
// was, and never longer. A process that was frozen or starved for more than [Pause] begins a new stretch.
package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/bootclock"
)

const (
	// Tick is how often work is marked.
	Tick = 5 * time.Millisecond
	// Pause is the longest time between two marks of one stretch.
	Pause = 100 * time.Millisecond

	// lineSize is how long each line is, padded with spaces, so that it can be written over.
	lineSize = 64
	suffix   = ".journal"
	// rested stands in the line of a stretch that its process ended.
	rested = "rested"
)

// Kind is what a process is in its replica.
type Kind string

// A command is the workload's first process; a worker was started by it.
const (
	Command Kind = "command"
	Worker  Kind = "worker"
)

// Writer is the journal of the calling process.
type Writer struct {
	file    *os.File
	line    int64
	stretch Stretch
}

// Stretch is a time throughout which a process worked.
type Stretch struct {
	// From and To are the first and the last mark.
	From, To bootclock.Instant
	// Woken: it is not the process's first, so the process was frozen or starved before, or rested.
	Woken bool
	// Rested: the process ended it of its own accord. Else it goes on working as soon as it can, unless it has ended.
	Rested bool
}

// Create makes the journal of this process in folder.
func Create(folder string, kind Kind) (*Writer, error) {
	name := fmt.Sprintf("%d-%s-%d%s", bootclock.System{}.Now(), kind, os.Getpid(), suffix)
	f, err := os.OpenFile(filepath.Join(folder, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make the journal: %w", err)
	}
	return &Writer{file: f, line: -1}, nil
}

// Mark says that the process works now, and returns that instant.
func (w *Writer) Mark() (bootclock.Instant, error) {
	now := bootclock.System{}.Now()
	if w.line < 0 || now.Sub(w.stretch.To) > Pause {
		w.stretch.From = now
		w.line++
	}
	w.stretch.To = now
	return now, w.write("")
}

// Rest says that the process does not work any more for now: the next mark begins a new stretch.
func (w *Writer) Rest() error {
	if w.line < 0 {
		return nil
	}
	err := w.write(rested)
	w.stretch.To = -1 << 62
	return err
}

// write writes the newest line, over what was there.
func (w *Writer) write(how string) error {
	line := fmt.Sprintf("%-*s\n", lineSize-1, fmt.Sprintf("%d %d %s", w.stretch.From, w.stretch.To, how))
	if _, err := w.file.WriteAt([]byte(line), w.line*lineSize); err != nil {
		return fmt.Errorf("mark the work: %w", err)
	}
	return nil
}

// Process is one process with what it wrote down.
type Process struct {
	// Kind and PID say which process it is.
	Kind Kind
	PID  int
	// Born is when it made its journal.
	Born bootclock.Instant
	// Stretches are in order.
	Stretches []Stretch
}

// Read reads all journals in a folder, by the instants at which they were made.
func Read(folder string) ([]Process, error) {
	files, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("find the journals: %w", err)
	}
	var all []Process
	for _, f := range files {
		name, ours := strings.CutSuffix(f.Name(), suffix)
		if !ours {
			continue
		}
		p, err := parseName(name)
		if err == nil {
			p.Stretches, err = readStretches(filepath.Join(folder, f.Name()))
		}
		if err != nil {
			return nil, fmt.Errorf("read the journal %s: %w", f.Name(), err)
		}
		all = append(all, p)
	}
	return all, nil
}

// Count returns how many journals a folder has; 0 where there is no such folder.
func Count(folder string) (int, error) {
	files, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	n := 0
	for _, f := range files {
		if strings.HasSuffix(f.Name(), suffix) {
			n++
		}
	}
	return n, err
}

func parseName(name string) (Process, error) {
	fields := strings.Split(name, "-")
	if len(fields) != 3 {
		return Process{}, errors.New("want INSTANT-KIND-PID as its name")
	}
	born, err := bootclock.Parse(fields[0])
	if err != nil {
		return Process{}, err
	}
	pid, err := strconv.Atoi(fields[2])
	return Process{Kind: Kind(fields[1]), PID: pid, Born: born}, err
}

func readStretches(path string) ([]Stretch, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var all []Stretch
	for line := range strings.Lines(string(text)) {
		s := Stretch{Woken: len(all) > 0, Rested: strings.Contains(line, rested)}
		if _, err := fmt.Sscanf(line, "%d %d", &s.From, &s.To); err != nil {
			return nil, fmt.Errorf("line %q: %w", line, err)
		}
		all = append(all, s)
	}
	return all, nil
}
