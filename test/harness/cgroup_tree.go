//go:build linux

package harness

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// cgroupMount is where control groups are on every machine.
	cgroupMount = "/sys/fs/cgroup"
	// procsFile lists a group's processes, and takes new ones.
	procsFile = "cgroup.procs"
	// cpuPeriod is the span, in µs, over which a group's share of a core is reckoned.
	cpuPeriod = 100_000
)

// The controllers, as version 2 names them; version 1 has these as the names of its trees.
const (
	freezerController = "freezer"
	cpuController     = "cpu"
	memoryController  = "memory"
	pidsController    = "pids"
)

// limit is a file of a group, the value to write into it, and the one that lifts it.
type limit struct{ file, value, none string }

// cgroupTree is the machine's control groups: version 1, a tree for each controller, or version 2, one tree for all.
type cgroupTree struct {
	mount   string
	unified bool
	// own is this process's group, a path from the mount, by version 1's controllers; version 2's under "".
	own map[string]string
}

// findCgroups looks which version the machine has, and where this process is in it.
func findCgroups() (cgroupTree, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(cgroupMount, &fs); err != nil {
		return cgroupTree{}, fmt.Errorf("find the control groups at %s: %w", cgroupMount, err)
	}
	lines, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return cgroupTree{}, fmt.Errorf("find this process's control group: %w", err)
	}
	t := cgroupTree{mount: cgroupMount, unified: fs.Type == unix.CGROUP2_SUPER_MAGIC, own: map[string]string{}}
	for line := range strings.Lines(string(lines)) { // "4:memory:/path", in version 2 "0::/path"
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) < 3 {
			continue
		}
		for controller := range strings.SplitSeq(fields[1], ",") {
			t.own[controller] = fields[2]
		}
	}
	return t, nil
}

// name is the tree that a controller is in.
func (t cgroupTree) name(controller string) string {
	if t.unified {
		return ""
	}
	return controller
}

// atOnce is the trees in which every group is made from the start: the one that freezes, and lists who is in it.
func (t cgroupTree) atOnce() []string {
	if t.unified {
		return []string{""}
	}
	return []string{freezerController, cpuController, memoryController, pidsController}
}

// home is the directory below which groups are made: this process's group, or the mount where that is not to be seen
// (in a container).
func (t cgroupTree) home(name string) (string, error) {
	top := filepath.Join(t.mount, name)
	own := filepath.Join(top, t.own[name])
	if _, err := os.Stat(own); err != nil {
		own = top
	}
	if !t.unified {
		return own, nil
	}
	return allowLimits(limited, own, top)
}

// AllowLimits has version 2 limit the groups right below the mount by controllers, such as "+cpu +memory".
func AllowLimits(controllers string) error {
	_, err := allowLimits(controllers, cgroupMount, cgroupMount)
	return err
}

// limited is what version 2 needs to let groups be limited.
const limited = "+" + cpuController + " +" + memoryController + " +" + pidsController

// allowLimits has version 2 limit groups by controllers, and returns where: below own or else below top. Only the machine's root may
// have both processes and limited groups in it; in a container, where top is not that, the processes move into a group below.
func allowLimits(controllers, own, top string) (string, error) {
	for _, dir := range []string{own, top} {
		if writeControl(filepath.Join(dir, "cgroup.subtree_control"), controllers) == nil {
			return dir, nil
		}
	}
	below := filepath.Join(top, "lease-sidecar-test-runner")
	if err := os.Mkdir(below, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("make a control group for the processes of %s: %w", top, err)
	}
	pids, err := members(top)
	if err != nil {
		return "", err
	}
	for _, pid := range pids {
		if err := writeControl(filepath.Join(below, procsFile), strconv.Itoa(pid)); err != nil && !errors.Is(err, syscall.ESRCH) {
			return "", fmt.Errorf("move %d out of the way of limits below %s: %w", pid, top, err)
		}
	}
	if err := writeControl(filepath.Join(top, "cgroup.subtree_control"), controllers); err != nil {
		return "", fmt.Errorf("allow limits below the control group %s: %w", top, err)
	}
	return top, nil
}

// freezer returns what to write where, and in which file to look for what until it is so.
func (t cgroupTree) freezer(freeze bool) (file, value, look, want string) {
	switch {
	case t.unified && freeze:
		return "cgroup.freeze", "1", "cgroup.events", "frozen 1"
	case t.unified:
		return "cgroup.freeze", "0", "cgroup.events", "frozen 0"
	case freeze:
		return "freezer.state", "FROZEN", "freezer.state", "FROZEN"
	default:
		return "freezer.state", "THAWED", "freezer.state", "THAWED"
	}
}

func (t cgroupTree) cpu(share float64) limit {
	quota := strconv.Itoa(int(share * cpuPeriod))
	switch {
	case !t.unified && share > 0:
		return limit{file: "cpu.cfs_quota_us", value: quota, none: "-1"}
	case !t.unified:
		return limit{file: "cpu.cfs_quota_us", value: "-1", none: "-1"}
	case share > 0:
		return limit{file: "cpu.max", value: fmt.Sprintf("%s %d", quota, cpuPeriod), none: "max"}
	default:
		return limit{file: "cpu.max", value: "max", none: "max"}
	}
}

func (t cgroupTree) memory(bytes int64) limit {
	l := limit{file: "memory.max", none: "max"}
	if !t.unified {
		l = limit{file: "memory.limit_in_bytes", none: "-1"}
	}
	return l.of(bytes)
}

func (t cgroupTree) pids(n int) limit {
	return limit{file: "pids.max", none: "max"}.of(int64(n))
}

// of is the limit with a number for its value; 0 lifts it.
func (l limit) of(n int64) limit {
	if l.value = l.none; n > 0 {
		l.value = strconv.FormatInt(n, 10)
	}
	return l
}
