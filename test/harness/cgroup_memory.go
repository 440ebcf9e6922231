//go:build linux

package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// MemoryUse is what the kernel charges to a control group, in bytes. A page of a file is charged to the group that reads it first,
// however many use it.
type MemoryUse struct {
	// All is everything, pages of files included.
	All int64
	// WorkingSet is All without the pages of files that the kernel takes back first (inactive_file): the kubelet compares it with a
	// limit of memory, and evicts pods by it.
	WorkingSet int64
	// Limit is the most that the group may use; "no limit" is a very large number.
	Limit int64
}

// MemoryUse reads what is charged to the group.
func (g *Cgroup) MemoryUse() MemoryUse {
	g.t.Helper()
	use, err := ReadMemoryUse(g.dirs[g.tree.name(memoryController)], g.tree.unified)
	if err != nil {
		g.t.Error(err)
	}
	return use
}

// ReadMemoryUse reads what is charged to the group of that directory, of version 2 if unified.
func ReadMemoryUse(dir string, unified bool) (MemoryUse, error) {
	all, limit, inactive := "memory.usage_in_bytes", "memory.limit_in_bytes", "total_inactive_file"
	if unified {
		all, limit, inactive = "memory.current", "memory.max", "inactive_file"
	}
	stat, err := os.ReadFile(filepath.Join(dir, "memory.stat"))
	if err != nil {
		return MemoryUse{}, fmt.Errorf("read the memory of a control group: %w", err)
	}
	var use MemoryUse
	for _, figure := range []struct {
		file string
		into *int64
	}{{all, &use.All}, {limit, &use.Limit}} {
		text, err := os.ReadFile(filepath.Join(dir, figure.file))
		if err != nil {
			return MemoryUse{}, fmt.Errorf("read the memory of a control group: %w", err)
		}
		if *figure.into, err = bytesOf(string(text)); err != nil {
			return MemoryUse{}, fmt.Errorf("read %s of %s: %w", figure.file, dir, err)
		}
	}
	_, after, found := strings.Cut("\n"+string(stat), "\n"+inactive+" ")
	cold, err := bytesOf(strings.SplitN(after, "\n", 2)[0])
	if err != nil || !found {
		return MemoryUse{}, fmt.Errorf("read %s of %s: %q", inactive, dir, stat)
	}
	use.WorkingSet = use.All - cold
	return use, nil
}

// bytesOf reads a number of bytes; "max" is no limit.
func bytesOf(text string) (int64, error) {
	text = strings.TrimSpace(text)
	if text == "max" {
		return 1<<63 - 1, nil
	}
	return strconv.ParseInt(text, 10, 64)
}
