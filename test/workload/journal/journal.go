// Package journal is what a process writes down of its own work: from when to when it ran, on the boot clock.
//
// Each process has a file of its own in its replica's folder. Each line is a stretch: the first and the last instant at
// which the process marked that it works. It marks every [Tick], so a stretch is at most that much shorter than the work
// was, and never longer. A process that was frozen or starved for more than [Pause] begins a new stretch.
package journal

import (
	"cmp"
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

	// wakeBound is how long a process may work on as its whole pod wakes, before the guard, which woke with it, has stopped
	// it. The protocol promises the kill, not that the guard runs first: such work is for the fencing token to refuse.
	wakeBound = time.Second

	// lineSize is how long each line is, padded with spaces, so that it can be written over.
	lineSize = 100
	suffix   = ".journal"
	// rested stands in the line of a stretch that its process ended, and noToken in one without a token.
	rested  = "rested"
	noToken = "-"
	// tokenEnv is where a command in child mode finds its term's token.
	tokenEnv = "LEADERSHIP_TOKEN"
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
	// Token is that of the term, where the process was given it in its environment.
	Token string
	// Woken: it is not the process's first, so the process was frozen or starved before, or rested.
	Woken bool
	// Rested: the process ended it of its own accord. Else it goes on working as soon as it can, unless it has ended.
	Rested bool
}

// OnWaking reports whether the process worked only because its whole pod woke, which had been frozen from one instant to
// another: a short stretch that is not its first and began with the waking.
func (s Stretch) OnWaking(from, to bootclock.Instant) bool {
	return s.Woken && s.To.Sub(s.From) <= wakeBound && !s.From.Before(from) && s.From.Sub(to) <= wakeBound
}

// Create makes the journal of this process in folder.
func Create(folder string, kind Kind) (*Writer, error) {
	name := fmt.Sprintf("%d-%s-%d%s", bootclock.System{}.Now(), kind, os.Getpid(), suffix)
	f, err := os.OpenFile(filepath.Join(folder, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make the journal: %w", err)
	}
	return &Writer{file: f, line: -1, stretch: Stretch{Token: cmp.Or(os.Getenv(tokenEnv), noToken)}}, nil
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
	line := fmt.Sprintf("%-*s\n", lineSize-1, fmt.Sprintf("%d %d %s %s", w.stretch.From, w.stretch.To, w.stretch.Token, how))
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

// clockTick is the step of the times in /proc/PID/stat.
const clockTick = 10 * time.Millisecond

// Lives reports whether the process is there and is no zombie; a frozen one is. Another process that has its pid by now, which
// machines that start many give out again within minutes, was started after the journal was made.
func (p Process) Lives() bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID))
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after)
	if err != nil || len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return false
	}
	started, err := strconv.ParseInt(fields[19], 10, 64)
	return err == nil && !p.Born.Before(bootclock.Instant(started*int64(clockTick)))
}

// Spells returns the stretches joined to what the process had to do: a spell ends where the process rests, or ends. It has no
// pause where the process could not go on for a while.
func (p Process) Spells() []Stretch {
	var all []Stretch
	for i, s := range p.Stretches {
		if i > 0 && !p.Stretches[i-1].Rested {
			last := &all[len(all)-1]
			last.To, last.Rested = s.To, s.Rested
			continue
		}
		all = append(all, s)
	}
	return all
}

// Read reads all journals in a folder, by the instants at which they were made.
func Read(folder string) ([]Process, error) {
	paths, err := Files(folder)
	if err != nil {
		return nil, err
	}
	var all []Process
	for _, path := range paths {
		p, err := ReadFile(path)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// Files returns the paths of the journals in a folder; none where there is no such folder.
func Files(folder string) ([]string, error) {
	files, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("find the journals: %w", err)
	}
	var all []string
	for _, f := range files {
		if strings.HasSuffix(f.Name(), suffix) {
			all = append(all, filepath.Join(folder, f.Name()))
		}
	}
	return all, nil
}

// ReadFile reads one journal.
func ReadFile(path string) (Process, error) {
	p, err := parseName(strings.TrimSuffix(filepath.Base(path), suffix))
	if err == nil {
		p.Stretches, err = readStretches(path)
	}
	if err != nil {
		return Process{}, fmt.Errorf("read the journal %s: %w", filepath.Base(path), err)
	}
	return p, nil
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
		if _, err := fmt.Sscanf(line, "%d %d %s", &s.From, &s.To, &s.Token); err != nil {
			return nil, fmt.Errorf("line %q: %w", line, err)
		}
		if s.Token == noToken {
			s.Token = ""
		}
		all = append(all, s)
	}
	return all, nil
}
