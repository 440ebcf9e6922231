//go:build linux

package process

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/internal/procfs"
)

const (
	commMax    = 15 // bytes that Linux keeps of a comm
	pidFileMax = 64 // bytes; a pid takes seven
	listMax    = 6  // processes to name in an error
)

// errNone says that nothing matches now. This is normal at the start of a workload.
var errNone = errors.New("no such process in this pid namespace: check its name or pid file, and that the pod has shareProcessNamespace: true")

// find returns the process that the target means, and all processes of its name.
func (t Target) find(all procfs.Table) (found procfs.Process, namesakes []procfs.Process, err error) {
	if t.PIDFile != "" {
		found, err = t.byFile(all)
		namesakes = []procfs.Process{found}
	} else {
		found, namesakes, err = t.byName(all)
	}
	if err != nil {
		return procfs.Process{}, namesakes, err
	}
	return found, namesakes, refuse(all, found)
}

func (t Target) byName(all procfs.Table) (procfs.Process, []procfs.Process, error) {
	var namesakes, heads []procfs.Process
	for _, e := range all {
		if t.matches(e) {
			namesakes = append(namesakes, e)
		}
	}
	for _, e := range namesakes { // workers have their master's name
		if !slices.ContainsFunc(namesakes, func(other procfs.Process) bool { return other.PID == e.Parent }) {
			heads = append(heads, e)
		}
	}
	switch len(heads) {
	case 0:
		return procfs.Process{}, namesakes, errNone
	case 1:
		return heads[0], namesakes, nil
	}
	return procfs.Process{}, namesakes, fmt.Errorf("%d processes match, none the parent of the others (%s): choose one by its pid file", len(heads), list(heads))
}

// matches compares the name with comm, which survives a rewrite of the arguments, and with argv[0], which holds long names
// in full.
func (t Target) matches(e procfs.Process) bool {
	if len(t.Name) <= commMax && e.Comm == t.Name {
		return true
	}
	base := e.Program()
	if base == t.Name {
		return true
	}
	// A truncated comm counts, unless argv[0] shows another program with the same beginning.
	return len(t.Name) > commMax && e.Comm == t.Name[:commMax] && !strings.HasPrefix(base, e.Comm)
}

func (t Target) byFile(all procfs.Table) (procfs.Process, error) {
	pid, err := readPIDFile(t.PIDFile)
	if err != nil {
		return procfs.Process{}, err
	}
	e, ok := all[pid]
	switch {
	case !ok:
		return procfs.Process{}, errNone // left by a process that has ended, or not yet rewritten
	case t.Name != "" && !t.matches(e):
		return procfs.Process{}, fmt.Errorf("%s, which the pid file %s names, is not named %q: remove the file before the program starts, or correct the name", e, t.PIDFile, t.Name)
	}
	return e, nil
}

// readPIDFile reads a pid from a file that another container may have written. It follows no link, reads only a regular
// file, and only as many bytes as a pid takes.
func readPIDFile(name string) (int, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, errNone
	case errors.Is(err, unix.ELOOP):
		return 0, fmt.Errorf("the pid file %s is a link: name the file itself", name)
	case err != nil:
		return 0, fmt.Errorf("read the pid file: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return 0, fmt.Errorf("the pid file %s is not a regular file", name)
	}
	b, err := io.ReadAll(io.LimitReader(f, pidFileMax+1))
	if err != nil {
		return 0, fmt.Errorf("read the pid file: %w", err)
	}
	line, _, _ := bytes.Cut(bytes.TrimSpace(b), []byte("\n")) // some write more lines, as PostgreSQL does
	if len(line) == 0 {
		return 0, errNone // it is being written
	}
	pid, err := strconv.ParseInt(strings.TrimSpace(string(line)), 10, 32)
	if err != nil || pid < 1 {
		return 0, fmt.Errorf("the pid file %s holds %.20q: want a pid in decimal", name, line)
	}
	return int(pid), nil
}

// refuse returns an error for processes that must never be signalled, whatever their name.
func refuse(all procfs.Table, e procfs.Process) error {
	self := os.Getpid()
	switch {
	case e.PID == self:
		return fmt.Errorf("%s is the sidecar itself: name the workload's process", e)
	case all.Ancestors(self)[e.PID]:
		return fmt.Errorf("%s is the sidecar's own parent or an ancestor: name the workload's process", e)
	case e.Comm == "pause":
		return fmt.Errorf("%s is the pod's pause process, which holds the pod together: name the workload's process", e)
	}
	return nil
}

func list(entries []procfs.Process) string {
	slices.SortFunc(entries, func(a, b procfs.Process) int { return a.PID - b.PID })
	var names []string
	for _, e := range entries[:min(len(entries), listMax)] {
		names = append(names, e.String())
	}
	if len(entries) > listMax {
		names = append(names, "…")
	}
	return strings.Join(names, ", ")
}
