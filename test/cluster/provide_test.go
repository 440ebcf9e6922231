//go:build unix

package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// touch is a build that makes empty programs.
func touch(builds *atomic.Int32, names ...string) func(context.Context, string, io.Writer) error {
	return func(_ context.Context, dir string, _ io.Writer) error {
		builds.Add(1)
		for _, name := range names {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o755); err != nil {
				return err
			}
		}
		return nil
	}
}

func TestProvideBuildsOnce(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	var builds atomic.Int32
	r := recipe{folder: "things/v1", binaries: []string{"a", "b"}, build: touch(&builds, "a", "b")}
	dirs := make([]string, 8)
	var all sync.WaitGroup
	for i := range dirs {
		all.Go(func() {
			dir, err := r.provide(t.Context(), io.Discard)
			if err != nil {
				t.Error(err)
			}
			dirs[i] = dir
		})
	}
	all.Wait()
	if got := builds.Load(); got != 1 {
		t.Errorf("%d builds, want 1", got)
	}
	for _, dir := range dirs {
		if dir != dirs[0] || r.missing(dir) != "" {
			t.Errorf("directory %q lacks %q", dir, r.missing(dir))
		}
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(dirs[0]), ".building-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestProvideReplacesAnIncompleteBuild(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("HOME", cache)
	var builds atomic.Int32
	half := recipe{folder: "things/v1", binaries: []string{"a"}, build: touch(&builds, "a")}
	if _, err := half.provide(t.Context(), io.Discard); err != nil {
		t.Fatal(err)
	}
	whole := recipe{folder: "things/v1", binaries: []string{"a", "b"}, build: touch(&builds, "a", "b")}
	dir, err := whole.provide(t.Context(), io.Discard)
	if err != nil || whole.missing(dir) != "" || builds.Load() != 2 {
		t.Errorf("got %q (lacks %q), %v after %d builds, want a whole one after 2", dir, whole.missing(dir), err, builds.Load())
	}
}

func TestFailedBuildLeavesNothing(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("HOME", cache)
	broken := errors.New("broken")
	for name, build := range map[string]func(context.Context, string, io.Writer) error{
		"it fails":             func(context.Context, string, io.Writer) error { return broken },
		"it leaves one undone": touch(new(atomic.Int32), "a"),
	} {
		r := recipe{folder: "things/v1", binaries: []string{"a", "b"}, build: build}
		if _, err := r.provide(t.Context(), io.Discard); err == nil {
			t.Errorf("%s: no error", name)
		}
		left, _ := filepath.Glob(filepath.Join(cache, "lease-sidecar", "things", "*"))
		for _, path := range left {
			if !strings.HasSuffix(path, ".lock") {
				t.Errorf("%s: left %s", name, path)
			}
		}
	}
}

func TestGivenAssetsMustBeWhole(t *testing.T) {
	dir := t.TempDir()
	r := recipe{given: dir, binaries: []string{"etcd", "kubectl"}}
	if err := os.WriteFile(filepath.Join(dir, "etcd"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := r.provide(t.Context(), io.Discard); err == nil || !strings.Contains(err.Error(), "kubectl") {
		t.Errorf("got %v, want an error that names kubectl", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "kubectl"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := r.provide(t.Context(), io.Discard); err != nil || got != dir {
		t.Errorf("got %q, %v, want %q", got, err, dir)
	}
}
