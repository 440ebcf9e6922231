package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// What is read of a file of /proc, in bytes: a stat line takes some 300; of a command line the first word counts.
const (
	statMax    = 1024
	cmdlineMax = 4096
)

// entry is a process as /proc/PID/stat shows it to every user.
type entry struct {
	pid, parent int
	start       uint64 // clock ticks since boot: with pid, the process's identity
	state       byte   // R, S, D, T (stopped), Z (ended, not reaped), X
	threads     int
	comm        string
}

// over reports whether the process has ended, though its parent may not have heard yet. One whose first thread alone
// has ended looks like it, but has others.
func (e entry) over() bool { return (e.state == 'Z' || e.state == 'X') && e.threads <= 1 }

// stopped reports whether the process is parked by a signal.
func (e entry) stopped() bool { return e.state == 'T' || e.state == 't' }

func (e entry) String() string { return fmt.Sprintf("process %d (%s)", e.pid, e.comm) }

// table is all processes of this pid namespace, by pid.
type table map[int]entry

// readTable reads /proc. Processes that end meanwhile are left out.
func readTable() (table, error) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, fmt.Errorf("look for processes: %w", err)
	}
	defer proc.Close()
	found, err := proc.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("look for processes: %w", err)
	}
	all := make(table, len(found))
	for _, name := range found {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if e, err := readEntry(pid); err == nil && !e.over() {
			all[pid] = e
		}
	}
	return all, nil
}

// readEntry reads /proc/PID/stat: PID (COMM) STATE PPID … with the start time as field 22. A comm may hold anything,
// ") " too, so the last one counts.
func readEntry(pid int) (entry, error) {
	var room [statMax]byte
	b, err := readProc(pid, "stat", room[:])
	if err != nil {
		return entry{}, err
	}
	before, after := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if before < 0 || after < before {
		return entry{}, fmt.Errorf("read /proc/%d/stat: no command in it", pid)
	}
	fields := strings.Fields(string(b[after+1:])) // from field 3 on
	if len(fields) < 20 {
		return entry{}, fmt.Errorf("read /proc/%d/stat: %d fields", pid, len(fields)+2)
	}
	parent, errParent := strconv.Atoi(fields[1])
	start, errStart := strconv.ParseUint(fields[19], 10, 64)
	threads, errThreads := strconv.Atoi(fields[17])
	if err := errors.Join(errParent, errStart, errThreads); err != nil {
		return entry{}, fmt.Errorf("read /proc/%d/stat: %w", pid, err)
	}
	return entry{
		pid: pid, parent: parent, start: start, state: fields[0][0], threads: threads, comm: string(b[before+1 : after]),
	}, nil
}

// program returns the last path element of a process's argv[0]; "" where that cannot be read. Programs may write
// what they like there.
func program(pid int) string {
	var room [cmdlineMax]byte
	b, err := readProc(pid, "cmdline", room[:])
	if err != nil || len(b) == 0 {
		return ""
	}
	first, _, _ := bytes.Cut(b, []byte{0})
	return path.Base(string(first))
}

// readProc reads the beginning of a file of /proc into b, past the standard library's poller, which costs more than the
// read.
func readProc(pid int, file string, b []byte) ([]byte, error) {
	name := "/proc/" + strconv.Itoa(pid) + "/" + file
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

// alive returns the entry's process as it is now; false when it has ended, also where its pid is another's by now.
func (e entry) alive() (entry, bool) {
	now, err := readEntry(e.pid)
	return now, err == nil && now.start == e.start && !now.over()
}

// family returns the process and all of its descendants, the process first.
func (t table) family(root entry) []entry {
	children := t.children()
	family := []entry{root}
	for i := 0; i < len(family); i++ { // a process has one parent, so none comes twice
		family = append(family, children[family[i].pid]...)
	}
	return family
}

// families returns those of the entries that still live, in their order, and then all that is below them.
func (t table) families(entries []entry) []entry {
	known := map[int]bool{}
	var found []entry
	add := func(e entry) {
		if !known[e.pid] {
			known[e.pid] = true
			found = append(found, e)
		}
	}
	for _, e := range entries {
		if now, ok := t[e.pid]; ok && now.same(e) {
			add(now)
		}
	}
	if len(found) == 0 {
		return nil
	}
	children := t.children()
	for i := 0; i < len(found); i++ {
		for _, e := range children[found[i].pid] {
			add(e)
		}
	}
	return found
}

func (t table) children() map[int][]entry {
	children := map[int][]entry{}
	for _, e := range t {
		children[e.parent] = append(children[e.parent], e)
	}
	return children
}

// ancestors returns the pid and those of all its parents, as far as they are in this pid namespace.
func (t table) ancestors(pid int) map[int]bool {
	line := map[int]bool{}
	for pid > 0 && !line[pid] {
		line[pid] = true
		pid = t[pid].parent
	}
	return line
}
