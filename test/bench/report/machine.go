package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
)

var (
	cpuModel      = regexp.MustCompile(`(?m)^model name\s*: (.+)$`)
	kernelVersion = regexp.MustCompile(`^\d+(\.\d+)*`)
)

// describe says what this run is made on, and with. top is the repository.
func describe(top string) (result.Machine, error) {
	m := result.Machine{Begun: time.Now().UTC().Truncate(time.Second), Cores: runtime.NumCPU(), CPU: "an unknown model", Go: runtime.Version()}
	cpu, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return m, fmt.Errorf("read the model of the CPU: %w", err)
	}
	if found := cpuModel.FindSubmatch(cpu); found != nil { // there is none on some architectures
		m.CPU = string(found[1])
	}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return m, fmt.Errorf("read the version of the kernel: %w", err)
	}
	m.Kernel = kernelVersion.FindString(string(kernel)) // what follows names who has built it
	for _, of := range []struct {
		module, file string
		version      *string
	}{
		{"k8s.io/kubernetes", filepath.Join("test", "cluster", "go.mod"), &m.Kubernetes},
		{"go.etcd.io/etcd/server/v3", filepath.Join("test", "cluster", "go.mod"), &m.Etcd},
		{"k8s.io/client-go", filepath.Join("test", "peer", "go.mod"), &m.ClientGo},
	} {
		if *of.version, err = required(filepath.Join(top, of.file), of.module); err != nil {
			return m, err
		}
	}
	m.Commit, err = commit(top)
	return m, err
}

// required returns the version of a module that a go.mod requires.
func required(file, module string) (string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the version of %s: %w", module, err)
	}
	found := regexp.MustCompile(`(?m)^\s*(?:require )?` + regexp.QuoteMeta(module) + ` (v\S+)`).FindSubmatch(content)
	if found == nil {
		return "", fmt.Errorf("%s requires no %s", file, module)
	}
	return string(found[1]), nil
}

// commit returns the commit of the repository.
func commit(top string) (string, error) {
	out, err := exec.Command("git", "-C", top, "describe", "--always", "--dirty", "--exclude=*", "--abbrev=10").Output()
	if err != nil {
		return "", fmt.Errorf("ask git for the commit: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}
