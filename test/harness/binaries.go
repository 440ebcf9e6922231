//go:build linux

package harness

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// moduleRoot is the directory of the product's go.mod, wherever the test binary was started from.
var moduleRoot = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the module's directory: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
})

// provide asks the module in test/cluster for a directory of binaries, which it builds where they are missing.
func provide(what string) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "run", ".", what)
	cmd.Dir = filepath.Join(root, "test", "cluster")
	cmd.Stderr = os.Stderr // progress: a first build takes minutes
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("provide the binaries of %s: %w", what, err)
	}
	return strings.TrimSpace(string(out)), nil
}

var (
	clusterBinaries = sync.OnceValues(func() (string, error) { return provide("cluster") })
	helmBinaries    = sync.OnceValues(func() (string, error) { return provide("helm") })
)

// build compiles the sidecar with extra arguments for the go tool into the run's own directory.
func build(name string, env []string, args ...string) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	dir, err := runDir()
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, name)
	cmd := exec.Command("go", append(append([]string{"build", "-o", binary}, args...), "./cmd/lease-sidecar")...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", name, err, bytes.TrimSpace(out))
	}
	return binary, nil
}

var (
	testedBinary = sync.OnceValues(func() (string, error) {
		if raceEnabled {
			return build("lease-sidecar-race", nil, "-race")
		}
		return build("lease-sidecar-plain", nil)
	})
	shippedBinary = sync.OnceValues(func() (string, error) {
		return build("lease-sidecar", []string{"CGO_ENABLED=0"}, "-trimpath", "-tags", "urfave_cli_no_docs,nethttpomithttp2", "-ldflags", "-s -w")
	})
	peerBinaries = map[string]func() (string, error){
		"v0.37": sync.OnceValues(func() (string, error) { return buildPeer("v0.37", "go.mod") }),
		"v0.36": sync.OnceValues(func() (string, error) { return buildPeer("v0.36", "v0.36.mod") }),
	}
)

// Environment variables that point the tests at programs which were built before, to compare two versions: the path of
// the sidecar to test in place of the one that is built from here, and of one more that some tests measure beside it.
const (
	givenBinary  = "SIDECAR_BINARY"
	beforeBinary = "SIDECAR_BEFORE"
)

// Binary returns the sidecar to test, built once a run, with the race detector where the test has it; or the one that
// the environment variable SIDECAR_BINARY names.
func Binary(t testing.TB) string {
	if path := os.Getenv(givenBinary); path != "" {
		return path
	}
	return must(t)(testedBinary())
}

// BeforeBinary returns the path of an older sidecar to measure beside the one under test, from the environment variable
// SIDECAR_BEFORE; "" where there is none.
func BeforeBinary() string { return os.Getenv(beforeBinary) }

// ShippedBinary returns the sidecar as it is shipped: static and stripped.
func ShippedBinary(t testing.TB) string { return must(t)(shippedBinary()) }

// ModuleRoot returns the directory of the product's go.mod.
func ModuleRoot(t testing.TB) string { return must(t)(moduleRoot()) }

// Helm returns the path of the pinned helm.
func Helm(t testing.TB) string { return filepath.Join(must(t)(helmBinaries()), "helm") }

// Kubectl returns the path of the cluster's own kubectl.
func Kubectl(t testing.TB) string { return filepath.Join(must(t)(clusterBinaries()), "kubectl") }

// must turns a (path, error) pair into the path, or ends the test.
func must(t testing.TB) func(string, error) string {
	t.Helper()
	return func(path string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
}
