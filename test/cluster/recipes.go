//go:build unix

package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// helmVersion and helm3Version are the helms that render and install the example charts. They are not tool lines of go.mod, as
// they need other versions of the Kubernetes libraries than kube-apiserver does.
const (
	helmVersion  = "v4.3.1"
	helm3Version = "v3.22.0"
)

// The container runtime of the nodes. Debian 12 has containerd 1.6 and runc 1.1: image volumes need containerd 2.1, user namespaces
// need runc 1.2.
const (
	containerdVersion = "v2.3.7"
	runcVersion       = "v1.4.0"
)

// s3Version is the S3 server that judges conditional writes. It is not a tool line of go.mod either: it shares nothing with
// Kubernetes.
const s3Version = "v1.8.0"

// recipe says how a directory of binaries comes to be.
type recipe struct {
	// given is a directory that somebody supplies instead; "" for none.
	given string
	// folder is where the binaries go, below the user's cache directory.
	folder string
	// binaries are the names that the finished directory holds.
	binaries []string
	// build puts the binaries into dir.
	build func(ctx context.Context, dir string, progress io.Writer) error
}

// tool is a program of this module's tool lines.
type tool struct{ name, pkg string }

// One after another, the small ones first: a fault shows early.
var (
	clusterTools = []tool{
		{"etcd", "go.etcd.io/etcd/server/v3"},
		{"kubectl", "k8s.io/kubernetes/cmd/kubectl"},
		{"kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"},
	}
	nodeTools = []tool{
		{"kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"},
		{"kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy"},
		{"kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"},
		{"kubelet", "k8s.io/kubernetes/cmd/kubelet"},
	}
)

// clusterRecipe builds what serves the Kubernetes API, or takes it from KUBEBUILDER_ASSETS.
func clusterRecipe(ctx context.Context) (recipe, error) {
	return pinnedRecipe(ctx, "cluster", os.Getenv("KUBEBUILDER_ASSETS"), clusterTools)
}

// nodeRecipe builds what runs pods. It is a recipe of its own, as only the tests with a node need it.
func nodeRecipe(ctx context.Context) (recipe, error) {
	return pinnedRecipe(ctx, "node", "", nodeTools)
}

// pinnedRecipe builds tools of this module's go.mod. It must be called from the module's directory.
func pinnedRecipe(ctx context.Context, kind, given string, tools []tool) (recipe, error) {
	r := recipe{
		given: given,
		build: func(ctx context.Context, dir string, progress io.Writer) error {
			return buildTools(ctx, dir, progress, tools)
		},
	}
	for _, t := range tools {
		r.binaries = append(r.binaries, t.name)
	}
	if r.given != "" {
		return r, nil
	}
	kubernetes, err := moduleVersion(ctx, "k8s.io/kubernetes")
	if err != nil {
		return recipe{}, err
	}
	etcd, err := moduleVersion(ctx, "go.etcd.io/etcd/server/v3")
	if err != nil {
		return recipe{}, err
	}
	pins, err := os.ReadFile("go.mod")
	if err != nil {
		return recipe{}, fmt.Errorf("read the pinned versions: %w", err)
	}
	hash := sha256.Sum256(pins)
	r.folder = filepath.Join(kind, fmt.Sprintf("%s-etcd-%s-%s-%s-%x",
		kubernetes, etcd, runtime.GOOS, runtime.GOARCH, hash[:5]))
	return r, nil
}

// buildTools builds static binaries. Kubernetes reads its own version from the linker's stamps; without them it
// calls itself v0.0.0-master, and clients that compare versions go astray.
func buildTools(ctx context.Context, dir string, progress io.Writer, tools []tool) error {
	kubernetes, err := moduleVersion(ctx, "k8s.io/kubernetes")
	if err != nil {
		return err
	}
	minor, _, _ := strings.Cut(strings.TrimPrefix(kubernetes, "v1."), ".")
	flags := []string{"-s", "-w"}
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		for _, stamp := range []string{
			"gitVersion=" + kubernetes, "gitMajor=1", "gitMinor=" + minor, "gitTreeState=clean",
			"gitCommit=module", "buildDate=2026-01-01T00:00:00Z",
		} {
			flags = append(flags, "-X", pkg+"."+stamp)
		}
	}
	for _, tool := range tools {
		if err := goCommand(ctx, progress, "building "+tool.name, []string{"CGO_ENABLED=0"},
			"build", "-trimpath", "-buildvcs=false", "-ldflags", strings.Join(flags, " "), "-o", filepath.Join(dir, tool.name), tool.pkg); err != nil {
			return err
		}
	}
	return nil
}

// helmRecipe installs a helm by its own go.mod, in the layout that the Makefile's other tools use.
func helmRecipe(version string) recipe {
	module := "helm.sh/helm/" + version[:len("v4")]
	return recipe{
		folder:   filepath.Join("tools", "helm@"+version),
		binaries: []string{"helm"},
		build: func(ctx context.Context, dir string, progress io.Writer) error {
			return goCommand(ctx, progress, "building helm "+version, []string{"CGO_ENABLED=0", "GOBIN=" + dir},
				"install", "-trimpath", module+"/cmd/helm@"+version)
		},
	}
}

// containerdRecipe installs containerd, its client ctr, and the shim that stands between it and each pod's processes.
func containerdRecipe() recipe {
	const commands = "github.com/containerd/containerd/v2/cmd/"
	return recipe{
		folder:   filepath.Join("tools", "containerd@"+containerdVersion),
		binaries: []string{"containerd", "ctr", "containerd-shim-runc-v2"},
		build: func(ctx context.Context, dir string, progress io.Writer) error {
			return goCommand(ctx, progress, "building containerd", []string{"CGO_ENABLED=0", "GOBIN=" + dir},
				"install", "-trimpath", "-ldflags", "-s -w", "-tags", "no_btrfs,no_zfs,no_aufs,no_devmapper,no_gateway",
				commands+"containerd-shim-runc-v2@"+containerdVersion, commands+"ctr@"+containerdVersion, commands+"containerd@"+containerdVersion)
		},
	}
}

// runcRecipe installs runc. It is written in C where it enters namespaces, and filters system calls by libseccomp.
func runcRecipe() recipe {
	return recipe{
		folder:   filepath.Join("tools", "runc@"+runcVersion),
		binaries: []string{"runc"},
		build: func(ctx context.Context, dir string, progress io.Writer) error {
			return goCommand(ctx, progress, "building runc", []string{"CGO_ENABLED=1", "GOBIN=" + dir},
				"install", "-trimpath", "-ldflags", "-s -w", "-tags", "seccomp", "github.com/opencontainers/runc@"+runcVersion)
		},
	}
}

// s3Recipe installs versitygw, an S3 server over a directory.
func s3Recipe() recipe {
	return recipe{
		folder:   filepath.Join("tools", "versitygw@"+s3Version),
		binaries: []string{"versitygw"},
		build: func(ctx context.Context, dir string, progress io.Writer) error {
			return goCommand(ctx, progress, "building versitygw", []string{"CGO_ENABLED=0", "GOBIN=" + dir},
				"install", "-trimpath", "-ldflags", "-s -w", "github.com/versity/versitygw/cmd/versitygw@"+s3Version)
		},
	}
}

func moduleVersion(ctx context.Context, module string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Version}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("read the version of %s (run me in test/cluster): %w", module, err)
	}
	return strings.TrimSpace(string(out)), nil
}
