//go:build linux

package harness

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
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
	helm3Binaries   = sync.OnceValues(func() (string, error) { return provide("helm3") })
	s3Binaries      = sync.OnceValues(func() (string, error) { return provide("s3") })
	nodeBinaries    = sync.OnceValues(func() (string, error) { return provide("node") })
	containerd      = sync.OnceValues(func() (string, error) { return provide("containerd") })
	runc            = sync.OnceValues(func() (string, error) { return provide("runc") })
)

// ClusterBinaries returns the folder of etcd, kube-apiserver and kubectl.
func ClusterBinaries() (string, error) { return clusterBinaries() }

// NodeBinaries returns the folder of what runs pods: the controller manager, the scheduler, kubelet and kube-proxy.
func NodeBinaries() (string, error) { return nodeBinaries() }

// ContainerdBinaries returns the folder of containerd, ctr and the shim.
func ContainerdBinaries() (string, error) { return containerd() }

// RuncBinaries returns the folder of runc.
func RuncBinaries() (string, error) { return runc() }

// HelmBinaries returns the folder of helm.
func HelmBinaries() (string, error) { return helmBinaries() }

// buildDir is where the binaries of this working tree are kept, for all test processes and from run to run: where nothing
// has changed, the go command links nothing again.
var buildDir = sync.OnceValues(func() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(root))
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache for binaries: %w", err)
	}
	dir := filepath.Join(cache, "lease-sidecar", "tests", fmt.Sprintf("%x", sum.Sum64()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the cache for binaries: %w", err)
	}
	return dir, nil
})

// program is one that the tests build.
type program struct {
	name, from string // of the binary, and the module's folder that it is built in
	pkg        string // "" for "."
	env, args  []string
	before     func(dir string) error // writes what the build needs into the folder for binaries; nil for nothing
}

// build compiles a program, one test process at a time, and returns its path.
func (p program) build() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	dir, err := buildDir()
	if err != nil {
		return "", err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", fmt.Errorf("lock the cache for binaries: %w", err)
	}
	defer func() { _ = lock.Close() }()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", fmt.Errorf("lock the cache for binaries: %w", err)
	}
	if p.before != nil {
		if err := p.before(dir); err != nil {
			return "", err
		}
	}
	binary := filepath.Join(dir, p.name)
	cmd := exec.Command("go", append(append([]string{"build", "-buildvcs=false", "-o", binary}, p.args...), "./"+p.pkg)...)
	cmd.Dir, cmd.Env = filepath.Join(root, p.from), append(os.Environ(), p.env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", p.name, err, bytes.TrimSpace(out))
	}
	return binary, nil
}

var (
	static = []string{"CGO_ENABLED=0"}

	raceBinary    = sync.OnceValues(program{name: "lease-sidecar-race", pkg: "cmd/lease-sidecar", args: []string{"-race"}}.build)
	shippedBinary = sync.OnceValues(program{
		name: "lease-sidecar", pkg: "cmd/lease-sidecar", env: static,
		args: []string{"-trimpath", "-tags", "urfave_cli_no_docs,nethttpomithttp2", "-ldflags", "-s -w"},
	}.build)
	workloadBinary = sync.OnceValues(program{name: "workload", pkg: "test/workload/program", env: static}.build)
	pauseBinary    = sync.OnceValues(program{name: "pause", pkg: "test/e2e/lab/pause", env: static, args: []string{"-trimpath", "-ldflags", "-s -w"}}.build)
	exampleBinary  = sync.OnceValues(program{name: "example", pkg: "examples/go", env: static}.build)
	peerBinaries   = map[string]func() (string, error){
		"v0.37": sync.OnceValues(peerProgram("v0.37", "go.mod").build),
		"v0.36": sync.OnceValues(peerProgram("v0.36", "v0.36.mod").build),
	}
)

// Environment variables that point the tests at programs which were built before, to compare two versions: the path of
// the sidecar to test in place of the one that is built from here, and of one more that some tests measure beside it.
const (
	givenBinary  = "SIDECAR_BINARY"
	beforeBinary = "SIDECAR_BEFORE"
)

// Binary returns the sidecar to test, with the race detector where the test has it, else as it is shipped. The environment
// variable SIDECAR_BINARY names another one.
func Binary(t testing.TB) string {
	t.Helper()
	if raceEnabled && os.Getenv(givenBinary) == "" {
		return must(t)(raceBinary())
	}
	return ShippedBinary(t)
}

// ShippedBinary returns the sidecar as it is shipped, static and stripped, or the one that SIDECAR_BINARY names.
func ShippedBinary(t testing.TB) string {
	t.Helper()
	if path := os.Getenv(givenBinary); path != "" {
		return path
	}
	return must(t)(shippedBinary())
}

// BeforeBinary returns the path of an older sidecar to measure beside the one under test, from the environment variable
// SIDECAR_BEFORE; "" where there is none.
func BeforeBinary() string { return os.Getenv(beforeBinary) }

// WorkloadProgram returns the program of test/workload/program.
func WorkloadProgram(t testing.TB) string { return must(t)(workloadBinary()) }

// ImagePrograms returns what the images of test/e2e hold: the program of test/workload/program, and the one that keeps a pod's
// namespaces open.
func ImagePrograms() (workload, pause string, err error) {
	if workload, err = workloadBinary(); err == nil {
		pause, err = pauseBinary()
	}
	return workload, pause, err
}

// ModulePath is ModuleRoot without a test.
func ModulePath() (string, error) { return moduleRoot() }

// ExampleProgram returns the program of examples/go.
func ExampleProgram(t testing.TB) string { return must(t)(exampleBinary()) }

// ModuleRoot returns the directory of the product's go.mod.
func ModuleRoot(t testing.TB) string { return must(t)(moduleRoot()) }

// Helm returns the path of the pinned helm.
func Helm(t testing.TB) string { return filepath.Join(must(t)(helmBinaries()), "helm") }

// Helm3 returns the path of the pinned helm of version 3.
func Helm3(t testing.TB) string { return filepath.Join(must(t)(helm3Binaries()), "helm") }

// S3 returns the path of the pinned S3 server, versitygw.
func S3(t testing.TB) string { return filepath.Join(must(t)(s3Binaries()), "versitygw") }

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
