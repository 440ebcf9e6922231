// Package procfs reads the process table that /proc shows to every user. What starts or ends while it is read may be
// missed: look again.
package procfs

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// statMax is what is read of a stat line, in bytes; one takes some 300.
const statMax = 1024

// Process is a line of the table.
type Process struct {
	// PID and Parent are as this pid namespace numbers them; a parent outside of it is 0.
	PID, Parent int
	// Start is the time of its start in clock ticks since boot: with PID, the process's identity.
	Start uint64
	// Comm is its name, of which Linux keeps 15 bytes.
	Comm string
	// Over reports that it has ended, though its parent has not heard of it yet.
	Over bool
}

// Table is all processes of this pid namespace that have not ended, by pid.
type Table map[int]Process

// Read reads the table.
func Read() (Table, error) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, fmt.Errorf("look for processes: %w", err)
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("look for processes: %w", err)
	}
	all := Table{}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, err := ReadProcess(pid); err == nil && !p.Over { // an error means that it has ended
			all[pid] = p
		}
	}
	return all, nil
}

// ReadProcess reads one line of the table, /proc/PID/stat.
func ReadProcess(pid int) (Process, error) {
	file, err := os.Open("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return Process{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	defer file.Close()
	var room [statMax]byte
	n, err := file.Read(room[:])
	if err != nil {
		return Process{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	return parse(pid, room[:n])
}

// parse reads PID (COMM) STATE PPID … with the number of threads as field 20 and the start time as field 22. A comm may
// hold anything, ") " too, so the last bracket counts.
func parse(pid int, stat []byte) (Process, error) {
	before, after := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if before < 0 || after < before {
		return Process{}, fmt.Errorf("look at process %d: no command in its stat", pid)
	}
	fields := strings.Fields(string(stat[after+1:])) // from field 3 on
	if len(fields) < 20 {
		return Process{}, fmt.Errorf("look at process %d: %d fields in its stat", pid, len(fields)+2)
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return Process{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	start, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return Process{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	// A process whose first thread alone has ended looks like a zombie, but has others.
	over := (fields[0] == "Z" || fields[0] == "X") && (fields[17] == "1" || fields[17] == "0")
	return Process{PID: pid, Parent: parent, Start: start, Comm: string(stat[before+1 : after]), Over: over}, nil
}

// Family returns the pids of a process and of all its descendants.
func (t Table) Family(root int) map[int]bool {
	children := map[int][]int{}
	for _, p := range t {
		children[p.Parent] = append(children[p.Parent], p.PID)
	}
	family := map[int]bool{root: true}
	for next := []int{root}; len(next) > 0; next = next[1:] {
		for _, child := range children[next[0]] {
			if !family[child] {
				family[child] = true
				next = append(next, child)
			}
		}
	}
	return family
}

// Ancestors returns the pid and those of all its parents, as far as they are in this pid namespace.
func (t Table) Ancestors(pid int) map[int]bool {
	line := map[int]bool{}
	for pid > 0 && !line[pid] {
		line[pid] = true
		pid = t[pid].Parent
	}
	return line
}
