//go:build linux

package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// run is one run of the tests: a folder that is locked as long as the run lives, and control groups that have the folder's name.
type run struct {
	dir  string
	lock *os.File
}

// cgroupMount is where control groups are on every machine.
const cgroupMount = "/sys/fs/cgroup"

// home is the folder in the user's cache for all that is kept from run to run.
func home() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache (set HOME): %w", err)
	}
	dir := filepath.Join(cache, "lease-sidecar", "e2e")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the cache: %w", err)
	}
	return dir, nil
}

func newRun() (*run, error) {
	top, err := home()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(top, "run-")
	if err != nil {
		return nil, fmt.Errorf("make the run's folder: %w", err)
	}
	r := &run{dir: dir}
	if err := os.Chmod(dir, 0o755); err != nil { // pods that are not root come through here to their volumes
		return nil, err
	}
	if alone, err := r.take(); err != nil || !alone {
		return nil, fmt.Errorf("lock the run's folder (alone: %v): %w", alone, err)
	}
	return r, nil
}

// take locks the folder, and reports whether no living run has it.
func (r *run) take() (bool, error) {
	lock, err := os.OpenFile(filepath.Join(r.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return false, err
	}
	err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, lock.Close()
	}
	r.lock = lock
	return err == nil, err
}

// sweep removes what runs have left that were killed. Their processes, mounts and links are gone already.
func sweep() error {
	top, err := home()
	if err != nil {
		return err
	}
	left, err := filepath.Glob(filepath.Join(top, "run-*"))
	if err != nil {
		return err
	}
	for _, dir := range left {
		r := &run{dir: dir}
		switch free, err := r.take(); {
		case err != nil:
			return fmt.Errorf("look at %s, which an earlier run has left: %w", dir, err)
		case free:
			fmt.Fprintln(os.Stderr, "removing what a run has left that was killed:", dir)
			if err := r.remove(); err != nil {
				return err
			}
		}
	}
	return nil
}

// cgroup is the run's control group, a path from the mount of each controller.
func (r *run) cgroup() string { return "/lease-sidecar-e2e-" + filepath.Base(r.dir) }

// removeBound is how long the kernel may take to end the last process of a control group.
const removeBound = 20 * time.Second

// remove removes the control groups and the folder.
func (r *run) remove() error {
	roots, err := filepath.Glob(cgroupMount + "/*" + r.cgroup()) // version 1 has a tree for each controller
	if err != nil {
		return err
	}
	for _, root := range append(roots, cgroupMount+r.cgroup()) {
		for deadline := time.Now().Add(removeBound); ; time.Sleep(50 * time.Millisecond) {
			if err := removeGroups(root); err == nil {
				break
			} else if time.Now().After(deadline) {
				return fmt.Errorf("remove the control group %s: %w", root, err)
			}
		}
	}
	err = os.RemoveAll(r.dir)
	_ = r.lock.Close()
	if err != nil {
		return fmt.Errorf("remove the run's folder: %w", err)
	}
	return nil
}

// removeGroups removes a control group with all groups below it.
func removeGroups(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeGroups(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	if err := syscall.Rmdir(dir); err != nil && !errors.Is(err, syscall.ENOENT) {
		return err
	}
	return nil
}

// keepLogs keeps the components' logs of a run that has failed, in place of those of the last one.
func (r *run) keepLogs() {
	kept := filepath.Join(filepath.Dir(r.dir), "failed")
	_ = os.RemoveAll(kept)
	if err := os.CopyFS(kept, os.DirFS(filepath.Join(r.dir, "logs"))); err == nil {
		fmt.Fprintln(os.Stderr, "the components' logs are in", kept)
	}
}
