//go:build linux

package lab

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// unified reports whether the machine has version 2 of control groups: one tree for all controllers.
func unified() (bool, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(cgroupMount, &stat); err != nil {
		return false, fmt.Errorf("find the control groups: %w", err)
	}
	return stat.Type == unix.CGROUP2_SUPER_MAGIC, nil
}

// makeGroups makes a control group in the tree of each controller, as the kubelet asks for one to be the root of its own.
func makeGroups(group string) error {
	v2, err := unified()
	if err != nil {
		return err
	}
	if v2 {
		return makeUnified(group)
	}
	trees, err := filepath.Glob(cgroupMount + "/*/cgroup.procs")
	if err != nil {
		return err
	}
	for _, tree := range trees {
		dir := filepath.Join(filepath.Dir(tree), group)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make a control group: %w", err)
		}
		for _, up := range []string{filepath.Dir(dir), dir} { // a group without processors takes no process
			if err := inherit(up, "cpuset.cpus", "cpuset.mems"); err != nil {
				return err
			}
		}
	}
	return nil
}

// inherit copies files of the group above, where they are there.
func inherit(dir string, names ...string) error {
	for _, name := range names {
		above, err := os.ReadFile(filepath.Join(filepath.Dir(dir), name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), bytes.TrimSpace(above), 0o600)
		}
		if err != nil {
			return fmt.Errorf("set %s of a control group: %w", name, err)
		}
	}
	return nil
}

// makeUnified makes a group, and lets the groups on the way to it limit those below them.
func makeUnified(group string) error {
	const limits = "+cpuset +cpu +io +memory +pids"
	if err := harness.AllowLimits(limits); err != nil {
		return err
	}
	dir := filepath.Join(cgroupMount, group)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make a control group: %w", err)
	}
	for _, up := range []string{filepath.Dir(dir), dir} {
		if err := os.WriteFile(filepath.Join(up, "cgroup.subtree_control"), []byte(limits), 0o600); err != nil {
			return fmt.Errorf("allow limits below the control group %s: %w", up, err)
		}
	}
	return nil
}

// freezeBound is how long the kernel may take to freeze a group.
const freezeBound = 20 * time.Second

// Freeze stops all processes of the container, until the function that it returns is called. No process can tell.
func (c *Container) Freeze() (thaw func()) {
	c.t.Helper()
	return freeze(c.t, c.group())
}

// FreezePod stops all processes of the container's pod.
func (c *Container) FreezePod() (thaw func()) {
	c.t.Helper()
	return freeze(c.t, filepath.Dir(c.group()))
}

// group is the container's control group, as a folder: that of the tree that freezes.
func (c *Container) group() string {
	c.t.Helper()
	lines, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", c.PID))
	if err != nil {
		c.t.Fatal(err)
	}
	for line := range strings.Lines(string(lines)) { // "4:freezer:/path", in version 2 "0::/path"
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) == 3 && fields[1] == "freezer" {
			return filepath.Join(cgroupMount, "freezer", fields[2])
		}
	}
	_, path, _ := strings.Cut(strings.TrimSpace(string(lines)), "::")
	return filepath.Join(cgroupMount, path)
}

func freeze(t testing.TB, dir string) (thaw func()) {
	t.Helper()
	file, on, off, look, want := "freezer.state", "FROZEN", "THAWED", "freezer.state", "FROZEN"
	if v2, err := unified(); err != nil {
		t.Fatal(err)
	} else if v2 {
		file, on, off, look, want = "cgroup.freeze", "1", "0", "cgroup.events", "frozen 1"
	}
	write := func(value string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, file), []byte(value), 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("freeze a control group: %v", err)
		}
	}
	write(on)
	t.Cleanup(func() { write(off) })
	harness.Eventually(t, freezeBound, "the control group is frozen", func() bool {
		state, err := os.ReadFile(filepath.Join(dir, look))
		return err == nil && strings.Contains(string(state), want)
	})
	return func() { write(off) }
}

// Memory returns the container's working set, as the kubelet counts it, and its limit, in bytes.
func (c *Container) Memory() (workingSet, limit int64) {
	c.t.Helper()
	use, err := harness.ReadMemoryUse(c.memoryGroup())
	if err != nil {
		c.t.Fatal(err)
	}
	return use.WorkingSet, use.Limit
}

// CPUTime is the processor time that the container has used.
func (c *Container) CPUTime() time.Duration {
	c.t.Helper()
	v2, err := unified()
	if err != nil {
		c.t.Fatal(err)
	}
	path, unit := filepath.Join(strings.Replace(c.group(), cgroupMount+"/freezer", cgroupMount+"/cpuacct", 1), "cpuacct.usage"), time.Nanosecond
	if v2 {
		path, unit = filepath.Join(c.group(), "cpu.stat"), time.Microsecond
	}
	text, err := os.ReadFile(path)
	if err != nil {
		c.t.Fatal(err)
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(string(text), "usage_usec "), "\n")
	n, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		c.t.Fatal(err)
	}
	return time.Duration(n) * unit
}

// memoryGroup is the container's control group in the tree that counts memory.
func (c *Container) memoryGroup() (dir string, v2 bool) {
	c.t.Helper()
	v2, err := unified()
	if err != nil {
		c.t.Fatal(err)
	}
	dir = c.group()
	if !v2 {
		dir = strings.Replace(dir, cgroupMount+"/freezer", cgroupMount+"/memory", 1)
	}
	return dir, v2
}

// ExhaustMemory has a process take what is left of the container's memory, until the kernel ends a process there: the container's
// first one, which it is to choose.
func (c *Container) ExhaustMemory() {
	c.t.Helper()
	dir, _ := c.memoryGroup()
	for _, pid := range c.pids(dir) {
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte("1000"), 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
	// The shell joins the group; each page that it reads into a variable is the group's. It ends by itself once the container has.
	script := fmt.Sprintf(`echo 0 >/proc/self/oom_score_adj; echo $$ >%s/cgroup.procs || exit 1
text=0123456789abcdef
while [ -d /proc/%d ]; do text=$text$text; [ ${#text} -lt 8000000 ] || { more=$more$text; text=0123456789abcdef; }; done`, dir, c.PID)
	_, _ = harness.RunCommand(c.t, "/bin/busybox", "sh", "-c", script) // it ends badly where the kernel ends it as well
}

// pids are the processes in a control group.
func (c *Container) pids(dir string) (pids []int) {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		c.t.Fatal(err)
	}
	for field := range strings.FieldsSeq(string(text)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			c.t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}
