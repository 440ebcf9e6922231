//go:build linux

package harness

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// cgroupBound is how long the kernel may take to freeze, thaw or empty a group on a machine that does much else.
const cgroupBound = 20 * time.Second

// Cgroup is a control group of the test's own, below the test process's group: what is in it is frozen, starved or
// killed together, as a node or a container is. It needs root, or groups that were handed to this user.
//
// Its methods report a fault to the test and go on, so any goroutine may call them.
type Cgroup struct {
	t     testing.TB
	tree  cgroupTree
	dirs  map[string]string // by controller; version 2 has one directory for all, under ""
	limit map[string]string // what to write where at the end, by file
}

// NewCgroup makes a group with nothing in it and no limits. Where none can be made the test ends, and says why. At the
// test's end what is still in it is thawed and moved out.
func NewCgroup(t testing.TB) *Cgroup {
	t.Helper()
	tree, err := findCgroups()
	if err != nil {
		t.Fatal(err)
	}
	g := &Cgroup{t: t, tree: tree, dirs: map[string]string{}, limit: map[string]string{}}
	t.Cleanup(g.remove)
	for _, controller := range tree.atOnce() {
		if err := g.make(controller); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

// make makes the group in a controller's hierarchy, where that has not been done.
func (g *Cgroup) make(controller string) error {
	if _, made := g.dirs[controller]; made {
		return nil
	}
	parent, err := g.tree.home(controller)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(parent, "lease-sidecar-test-")
	if err != nil {
		return fmt.Errorf("make a control group: %w (it takes root, and a cgroup file system that is writable)", err)
	}
	g.dirs[controller] = dir
	return nil
}

// Add moves processes into the group, with all their threads. What they start from then on is in it from its birth;
// what they started before is not: see [Cgroup.Launcher].
func (g *Cgroup) Add(pids ...int) {
	g.t.Helper()
	for _, dir := range g.dirs {
		for _, pid := range pids {
			g.write(filepath.Join(dir, procsFile), strconv.Itoa(pid))
		}
	}
}

// Launcher returns a program that joins the group and then becomes binary, with the same process number: everything
// below it, and every page it touches, is the group's.
func (g *Cgroup) Launcher(binary string) string {
	g.t.Helper()
	var script strings.Builder
	script.WriteString("#!/bin/sh\n")
	for _, dir := range g.dirs {
		fmt.Fprintf(&script, "echo $$ >'%s' || exit 125\n", filepath.Join(dir, procsFile))
	}
	fmt.Fprintf(&script, "exec '%s' \"$@\"\n", binary)
	path := filepath.Join(g.t.TempDir(), filepath.Base(binary))
	if err := os.WriteFile(path, []byte(script.String()), 0o700); err != nil {
		g.t.Errorf("write the launcher: %v", err)
	}
	return path
}

// PIDs returns who is in the group.
func (g *Cgroup) PIDs() []int {
	pids, err := members(g.dirs[g.tree.atOnce()[0]])
	if err != nil {
		g.t.Errorf("list the control group: %v", err)
	}
	return pids
}

// Freeze stops everything in the group, and returns once the kernel says that nothing runs any more. No process can
// tell, and no signal gets through (with version 1 not even SIGKILL, which works at Thaw).
func (g *Cgroup) Freeze() {
	g.t.Helper()
	g.t.Cleanup(g.Thaw) // first of all: who waits for a frozen process's end would wait for ever
	g.freeze(true)
}

// Thaw lets what is frozen go on.
func (g *Cgroup) Thaw() {
	g.t.Helper()
	g.freeze(false)
}

func (g *Cgroup) freeze(freeze bool) {
	g.t.Helper()
	file, value, look, want := g.tree.freezer(freeze)
	dir := g.dirs[g.tree.name(freezerController)]
	g.write(filepath.Join(dir, file), value)
	g.await(fmt.Sprintf("the control group is %s", value), func() bool {
		state, err := os.ReadFile(filepath.Join(dir, look))
		return err == nil && strings.Contains(string(state), want)
	})
}

// CPU gives the group that share of one core's time (0.05: 5 ms in every 100 ms); 0 is no limit.
func (g *Cgroup) CPU(share float64) {
	g.t.Helper()
	g.set(cpuController, g.tree.cpu(share))
}

// Memory bounds the group's memory; 0 is no limit. Pages that a process touched before it came into the group are not
// counted: use [Cgroup.Launcher]. A process that needs more is killed by the kernel.
func (g *Cgroup) Memory(bytes int64) {
	g.t.Helper()
	g.set(memoryController, g.tree.memory(bytes))
}

// Threads bounds how many threads the group may have, over all its processes; 0 is no limit.
func (g *Cgroup) Threads(n int) {
	g.t.Helper()
	g.set(pidsController, g.tree.pids(n))
}

// Kill ends everything in the group at one instant, as a node does that loses its power.
func (g *Cgroup) Kill() {
	g.t.Helper()
	g.Freeze() // nobody sees another one die
	for _, pid := range g.PIDs() {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			g.t.Errorf("kill %d of the control group: %v", pid, err)
		}
	}
	g.Thaw()
	g.await("the control group is empty", func() bool { return len(g.PIDs()) == 0 })
}

// set writes a limit into a controller's file, and notes how to lift it at the end. Version 1 has a tree of groups for
// each controller: who is in this group joins the one there first.
func (g *Cgroup) set(controller string, l limit) {
	g.t.Helper()
	name := g.tree.name(controller)
	if _, made := g.dirs[name]; !made {
		if err := g.make(name); err != nil {
			g.t.Errorf("limit %s: %v", controller, err)
			return
		}
		for _, pid := range g.PIDs() {
			g.write(filepath.Join(g.dirs[name], procsFile), strconv.Itoa(pid))
		}
	}
	path := filepath.Join(g.dirs[name], l.file)
	g.limit[path] = l.none
	g.write(path, l.value)
}

func (g *Cgroup) write(path, value string) {
	g.t.Helper()
	if err := writeControl(path, value); err != nil && !errors.Is(err, syscall.ESRCH) { // it has ended meanwhile
		g.t.Errorf("set %s of the control group to %s: %v", filepath.Base(path), value, err)
	}
}

func (g *Cgroup) await(what string, holds func() bool) {
	g.t.Helper()
	if !Within(cgroupBound, time.Millisecond, holds) {
		g.t.Errorf("not within %v: %s", cgroupBound, what)
	}
}

// remove empties the group and removes it. Its members go to where the group was made.
func (g *Cgroup) remove() {
	if len(g.dirs) == 0 {
		return
	}
	g.Thaw()
	for path, none := range g.limit {
		g.write(path, none)
	}
	for _, dir := range g.dirs {
		g.await("the control group is removed", func() bool {
			pids, _ := members(dir)
			for _, pid := range pids {
				_ = writeControl(filepath.Join(filepath.Dir(dir), procsFile), strconv.Itoa(pid))
			}
			err := os.Remove(dir)
			return err == nil || errors.Is(err, fs.ErrNotExist)
		})
	}
}

// writeControl writes a control group's file, which takes one value a write.
func writeControl(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// members returns who is in a group.
func members(dir string) ([]int, error) {
	b, err := os.ReadFile(filepath.Join(dir, procsFile))
	if err != nil {
		return nil, err
	}
	var pids []int
	for field := range strings.FieldsSeq(string(b)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", dir, err)
		}
		pids = append(pids, pid)
	}
	return pids, nil
}
