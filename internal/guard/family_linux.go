package guard

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// process is one line of the process table.
type process struct {
	pid, parent int
	state       byte   // as in /proc/PID/stat: Z is a zombie
	start       uint64 // field 22 of /proc/PID/stat
}

// readProcess reads /proc/PID/stat. The name in it may hold anything, so the fields count from its closing bracket.
func readProcess(pid int) (process, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return process{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	return parseProcess(pid, b)
}

func parseProcess(pid int, stat []byte) (process, error) {
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 || len(fields[0]) != 1 {
		return process{}, fmt.Errorf("look at process %d: its stat cannot be read", pid)
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return process{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	start, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return process{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	return process{pid: pid, parent: parent, state: fields[0][0], start: start}, nil
}

// processes returns the process table by parent. What starts or ends meanwhile may be missed.
func processes() (children map[int][]process, err error) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, fmt.Errorf("look for processes: %w", err)
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("look for processes: %w", err)
	}
	children = map[int][]process{}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, err := readProcess(pid); err == nil { // an error means that it has ended
			children[p.parent] = append(children[p.parent], p)
		}
	}
	return children, nil
}

// descendants returns the processes below root, zombies too. What starts or ends meanwhile may be missed: look again.
// A descendant cannot leave the tree as long as root is its subreaper.
func descendants(root int) ([]process, error) {
	children, err := processes()
	if err != nil {
		return nil, err
	}
	found := slices.Clone(children[root])
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i].pid]...)
	}
	return found, nil
}

// families returns those of the members that still live, and all that is below them.
func families(members []Member) ([]process, error) {
	children, err := processes()
	if err != nil {
		return nil, err
	}
	wanted, known := map[Member]bool{}, map[int]bool{}
	for _, m := range members {
		wanted[m] = true
	}
	var found []process
	add := func(p process) {
		if !known[p.pid] {
			known[p.pid] = true
			found = append(found, p)
		}
	}
	for _, siblings := range children {
		for _, p := range siblings {
			if wanted[Member{PID: p.pid, StartTime: p.start}] {
				add(p)
			}
		}
	}
	for i := 0; i < len(found); i++ {
		for _, p := range children[found[i].pid] {
			add(p)
		}
	}
	return found, nil
}

// signalOne sends a signal to a process, if it is still the one that started then. The number alone may have gone to
// another process meanwhile; the descriptor keeps to the one that was looked at.
func signalOne(pid int, start uint64, s syscall.Signal) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("open process %d: %w", pid, err)
	}
	defer unix.Close(fd)
	p, err := readProcess(pid)
	switch {
	case err != nil:
		return err
	case p.start != start:
		return fmt.Errorf("signal process %d: %w", pid, unix.ESRCH)
	}
	if err := unix.PidfdSendSignal(fd, s, nil, 0); err != nil {
		return fmt.Errorf("signal process %d: %w", pid, err)
	}
	return nil
}

// signalAll sends a signal to every process that is not a zombie, and returns how many there were.
func signalAll(all []process, s syscall.Signal) (living int, err error) {
	var faults []error
	for _, p := range all {
		if p.state == 'Z' {
			continue
		}
		living++
		if err := signalOne(p.pid, p.start, s); err != nil && !errors.Is(err, unix.ESRCH) && !errors.Is(err, os.ErrNotExist) {
			faults = append(faults, err)
		}
	}
	return living, errors.Join(faults...)
}
