package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// How much is read of a file of /proc, in bytes. A stat line takes about 300; of a command line only the first argument counts.
const (
	statMax    = 1024
	cmdlineMax = 4096
)

// yieldEvery is after how many entries of /proc a read of the table lets other goroutines run. A table of a hundred processes takes
// more than a millisecond, and this program has one processor: other signals must not wait for it. The guard's goroutine is locked to
// its thread, and so a yield costs it some microseconds.
const yieldEvery = 16

// Process is a process as /proc/PID/stat shows it to every user.
type Process struct {
	ID
	// Parent is the parent's pid; 0 if that is outside of this pid namespace.
	Parent int
	// State is the kernel's letter: R runs, S sleeps, D waits for a device or a page, T is stopped, Z has ended.
	State byte
	// Threads counts the threads that have not ended.
	Threads int
	// Comm is its name, cut to 15 bytes by Linux. It may hold any bytes.
	Comm string
}

// Over reports whether the process has ended, reaped or not. A process of which only the first thread has ended has the
// state Z too, but counts its other threads.
func (p Process) Over() bool { return (p.State == 'Z' || p.State == 'X') && p.Threads <= 1 }

// Stopped reports whether the process is stopped by a signal or a debugger.
func (p Process) Stopped() bool { return p.State == 'T' || p.State == 't' }

// String returns "process PID (COMM)".
func (p Process) String() string { return fmt.Sprintf("process %d (%s)", p.PID, p.Comm) }

// Alive returns the process as it is now; false if it has ended, even if its pid was reused.
func (p Process) Alive() (Process, bool) {
	now, err := ReadProcess(p.PID)
	return now, err == nil && now.ID == p.ID && !now.Over()
}

// Program returns the last path element of argv[0]; "" if unreadable. The process may have changed it.
func (p Process) Program() string {
	var room [cmdlineMax]byte
	b, err := read(strconv.Itoa(p.PID)+"/cmdline", room[:])
	if err != nil || len(b) == 0 {
		return ""
	}
	first, _, _ := bytes.Cut(b, []byte{0})
	return path.Base(string(first))
}

// Table maps pids to all processes of this pid namespace that have not ended.
type Table map[int]Process

// Read reads the table.
func Read() (Table, error) {
	all := Table{}
	err := each(func(p Process) {
		if !p.Over() {
			all[p.PID] = p
		}
	})
	return all, err
}

// Zombies returns the ended children that a process has not reaped.
func Zombies(parent int) ([]ID, error) {
	var found []ID
	err := each(func(p Process) {
		if p.Parent == parent && p.Over() {
			found = append(found, p.ID)
		}
	})
	return found, err
}

func each(see func(Process)) error {
	proc, err := os.Open("/proc")
	if err != nil {
		return fmt.Errorf("look for processes: %w", err)
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return fmt.Errorf("look for processes: %w", err)
	}
	for i, name := range names {
		if i%yieldEvery == yieldEvery-1 {
			runtime.Gosched()
		}
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, err := ReadProcess(pid); err == nil { // an error means that it has ended
			see(p)
		}
	}
	return nil
}

// ReadProcess reads /proc/PID/stat.
func ReadProcess(pid int) (Process, error) {
	var room [statMax]byte
	b, err := read(strconv.Itoa(pid)+"/stat", room[:])
	if err != nil {
		return Process{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	return parse(pid, b)
}

// read reads the beginning of a file of /proc into b. It avoids the standard library's poller, which costs more than the read.
func read(file string, b []byte) ([]byte, error) {
	name := "/proc/" + file
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	defer unix.Close(fd)
	n, err := unix.Read(fd, b)
	if err != nil {
		return nil, &os.PathError{Op: "read", Path: name, Err: err}
	}
	return b[:n], nil
}

// parse reads PID (COMM) STATE PPID …, with the number of threads in field 20 and the start time in field 22. A comm may
// hold anything, even ") ", so the last bracket counts.
func parse(pid int, stat []byte) (Process, error) {
	before, after := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if before < 0 || after < before {
		return Process{}, fmt.Errorf("look at process %d: no command in its stat", pid)
	}
	fields := strings.Fields(string(stat[after+1:])) // from field 3 on
	if len(fields) < 20 {
		return Process{}, fmt.Errorf("look at process %d: %d fields in its stat", pid, len(fields)+2)
	}
	parent, errParent := strconv.Atoi(fields[1])
	threads, errThreads := strconv.Atoi(fields[17])
	start, errStart := strconv.ParseUint(fields[19], 10, 64)
	if err := errors.Join(errParent, errThreads, errStart); err != nil {
		return Process{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	return Process{
		ID: ID{PID: pid, Start: start}, Parent: parent, State: fields[0][0], Threads: threads, Comm: string(stat[before+1 : after]),
	}, nil
}

// Families returns the living ones of the processes, in order, and then all their descendants, each once.
func (t Table) Families(roots ...ID) []Process {
	known := map[int]bool{}
	var found []Process
	add := func(p Process) {
		if !known[p.PID] {
			known[p.PID] = true
			found = append(found, p)
		}
	}
	for _, root := range roots {
		if p, ok := t[root.PID]; ok && p.ID == root {
			add(p)
		}
	}
	if len(found) == 0 {
		return nil
	}
	children := map[int][]Process{}
	for _, p := range t {
		children[p.Parent] = append(children[p.Parent], p)
	}
	for i := 0; i < len(found); i++ {
		for _, child := range children[found[i].PID] {
			add(child)
		}
	}
	return found
}

// Family returns the process with that pid and all its descendants, the process first; nil if it is not alive.
func (t Table) Family(pid int) []Process { return t.Families(t[pid].ID) }

// Ancestors returns the pid and the pids of all its ancestors in this pid namespace.
func (t Table) Ancestors(pid int) map[int]bool {
	line := map[int]bool{}
	for pid > 0 && !line[pid] {
		line[pid] = true
		pid = t[pid].Parent
	}
	return line
}
