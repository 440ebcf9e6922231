//go:build linux

package lab

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
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
	dir := filepath.Join(cgroupMount, group)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make a control group: %w", err)
	}
	for _, up := range []string{cgroupMount, filepath.Dir(dir), dir} {
		if err := os.WriteFile(filepath.Join(up, "cgroup.subtree_control"), []byte("+cpuset +cpu +io +memory +pids"), 0o600); err != nil {
			return fmt.Errorf("allow limits below the control group %s: %w", up, err)
		}
	}
	return nil
}
