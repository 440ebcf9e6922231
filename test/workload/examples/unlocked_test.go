//go:build linux

package examples

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestNoWorkWithoutTheLock runs the script of each manifest on a replica that leads, in an image without flock: it ends with an
// error, and nothing works unseen.
func TestNoWorkWithoutTheLock(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	for _, tool := range []string{"sh", "stat", "date", "cat", "sleep"} { // what the scripts need, but for flock
		if err := os.Symlink(lookUp(t, tool), filepath.Join(bin, tool)); err != nil {
			t.Fatal(err)
		}
	}
	scripts := lockingScripts(t)
	if len(scripts) < 5 {
		t.Fatalf("%d manifests have a script with the run lock: the search does not find them", len(scripts))
	}
	for name, script := range scripts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for _, file := range []string{"leader", "run.lock"} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte("7"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			later := time.Now().Add(time.Minute)
			if err := os.Chtimes(filepath.Join(dir, "leader"), later, later); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, filepath.Join(bin, "sh"), "-c", strings.ReplaceAll(script, inThePod, dir))
			cmd.Env, cmd.WaitDelay = []string{"PATH=" + bin}, time.Second
			out, err := cmd.CombinedOutput()
			if ctx.Err() != nil || err == nil || !strings.Contains(string(out), "flock") || strings.Contains(string(out), "with token") {
				t.Errorf("without flock the script ended with %v, want an error about flock within 10 s, and no work:\n%s", err, out)
			}
		})
	}
}

// lockingScripts returns the scripts of the manifests that take the run lock, by file.
func lockingScripts(t *testing.T) map[string]string {
	t.Helper()
	root := filepath.Join(harness.ModuleRoot(t), "examples", "manifests")
	scripts := map[string]string{}
	err := filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".yaml" {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for document := range strings.SplitSeq(string(content), "\n---\n") {
			var object any
			if err := yaml.Unmarshal([]byte(document), &object); err != nil {
				return err
			}
			eachString(object, func(s string) {
				if strings.Contains(s, "flock -s 9") {
					name, _ := filepath.Rel(root, path)
					scripts[name] = s
				}
			})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return scripts
}

// eachString visits the strings of a decoded document.
func eachString(object any, visit func(string)) {
	switch o := object.(type) {
	case string:
		visit(o)
	case []any:
		for _, one := range o {
			eachString(one, visit)
		}
	case map[string]any:
		for _, one := range o {
			eachString(one, visit)
		}
	}
}
