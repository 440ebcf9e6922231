//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// provide returns the directory that holds the recipe's binaries, after building them where they are missing.
func (r recipe) provide(ctx context.Context, progress io.Writer) (string, error) {
	if r.given != "" {
		if missing := r.missing(r.given); missing != "" {
			return "", fmt.Errorf("KUBEBUILDER_ASSETS=%s has no %s: unset it, or put the binary there", r.given, missing)
		}
		return filepath.Abs(r.given)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the user's cache directory (set XDG_CACHE_HOME or HOME): %w", err)
	}
	dir := filepath.Join(cache, "lease-sidecar", r.folder)
	if r.missing(dir) == "" {
		return dir, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", fmt.Errorf("make the cache directory: %w", err)
	}
	unlock, err := lock(ctx, dir+".lock", progress)
	if err != nil {
		return "", err
	}
	defer unlock()
	if r.missing(dir) == "" { // somebody else built it while we waited
		return dir, nil
	}
	return dir, r.make(ctx, dir, progress)
}

// missing names the first binary that dir lacks; "" where dir is whole.
func (r recipe) missing(dir string) string {
	for _, name := range r.binaries {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
			return name
		}
	}
	return ""
}

// make builds into a directory aside and renames it into place: whoever sees dir sees all of it.
func (r recipe) make(ctx context.Context, dir string, progress io.Writer) error {
	aside, err := os.MkdirTemp(filepath.Dir(dir), ".building-")
	if err != nil {
		return fmt.Errorf("make a directory to build in: %w", err)
	}
	defer func() { _ = os.RemoveAll(aside) }()
	if err := r.build(ctx, aside, progress); err != nil {
		return err
	}
	if missing := r.missing(aside); missing != "" {
		return fmt.Errorf("the build left no %s", missing)
	}
	if err := os.Chmod(aside, 0o755); err != nil {
		return fmt.Errorf("open the built directory to readers: %w", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove an incomplete build: %w", err)
	}
	if err := os.Rename(aside, dir); err != nil {
		return fmt.Errorf("move the build into place: %w", err)
	}
	return nil
}

// lock takes the lock file at path, waiting for another build if need be.
func lock(ctx context.Context, path string, progress io.Writer) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the build lock: %w", err)
	}
	for said := false; ; {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !said {
			_, _ = fmt.Fprintln(progress, "waiting for another build to finish ("+path+")")
			said = true
		}
		select {
		case <-ctx.Done():
			_ = f.Close()
			return nil, fmt.Errorf("wait for the build lock: %w", context.Cause(ctx))
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// goCommand runs the go tool and says every half a minute that it is still at it.
func goCommand(ctx context.Context, progress io.Writer, what string, env []string, args ...string) error {
	_, _ = fmt.Fprintln(progress, what+"…")
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = progress, progress
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	started := time.Now()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the go tool: %w", err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case err := <-done:
			if err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			return nil
		case <-time.After(30 * time.Second):
			_, _ = fmt.Fprintf(progress, "%s… %s so far\n", what, time.Since(started).Round(time.Second))
		}
	}
}
