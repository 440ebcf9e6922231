//go:build linux

package docs

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// insideEnv has this program play the page of that path, in namespaces of its own.
const insideEnv = "LEASE_SIDECAR_TEST_PAGE"

// What the program outside gives to the one inside.
const (
	rootEnv       = "LEASE_SIDECAR_TEST_ROOT"
	sidecarEnv    = "LEASE_SIDECAR_TEST_SIDECAR"
	clusterEnv    = "LEASE_SIDECAR_TEST_CLUSTER"    // host:port of the API server
	kubeconfigEnv = "LEASE_SIDECAR_TEST_KUBECONFIG" // its content
	bridgeFD      = 3                               // the folder with the socket that leads to the API server
)

func TestMain(m *testing.M) {
	if path := os.Getenv(insideEnv); path != "" {
		if err := inside(path); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(harness.Main(m))
}

// TestPages plays each page on a machine of its own. It needs root.
func TestPages(t *testing.T) {
	environment := append(os.Environ(), rootEnv+"="+harness.ModuleRoot(t), sidecarEnv+"="+harness.ShippedBinary(t))
	for _, variable := range []string{"GOCACHE", "GOMODCACHE", "GOPATH"} { // the HOME inside is another one
		value, err := exec.Command("go", "env", variable).Output()
		if err != nil {
			t.Fatal(err)
		}
		environment = append(environment, variable+"="+strings.TrimSpace(string(value)))
	}
	for _, p := range Pages {
		t.Run(p.Path, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
			cmd.Env = append([]string{insideEnv + "=" + p.Path}, environment...)
			cmd.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL,
			}
			if p.Place == Cluster {
				lend(t, cmd)
			}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// inside plays a page as the first process of its namespaces: all that the page leaves running ends with this process.
func inside(path string) error {
	root, sidecar := os.Getenv(rootEnv), os.Getenv(sidecarEnv)
	written, err := isolate(root)
	if err == nil && os.Getenv(clusterEnv) != "" {
		err = borrow()
	}
	if err != nil {
		return fmt.Errorf("make a machine for the page: %w", err)
	}
	for _, p := range Pages {
		if p.Path != path {
			continue
		}
		steps, err := p.Steps(root)
		if err == nil && p.Before != "" {
			steps = append([]Step{{Kind: Run, Terminal: 1, Text: p.Before}}, steps...)
		}
		if err == nil {
			err = install(p, sidecar)
		}
		if err == nil {
			folder := home
			if p.Tree {
				folder = root
			}
			err = Play(steps, folder, environment())
		}
		return errors.Join(err, clean(root, written))
	}
	return fmt.Errorf("no page is called %s", path)
}

const (
	home     = "/tmp/home"
	programs = "/tmp/programs"
	changes  = "/tmp/changes" // of the repository
)

// isolate gives this process a /proc, a /tmp and a /run of its own, a loopback interface that is up, and the repository with whatever is
// changed there kept apart, wherever it is: a checkout in /tmp is not hidden. It returns the folder with the changes.
func isolate(root string) (written string, err error) {
	written = filepath.Join(changes, "written")
	work := filepath.Join(changes, "work")
	below, err := os.Open(root)
	if err != nil {
		return "", err
	}
	defer func() { _ = below.Close() }()
	err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	for _, m := range []struct{ kind, at string }{{"proc", "/proc"}, {"tmpfs", "/tmp"}, {"tmpfs", "/run"}} {
		err = errors.Join(err, unix.Mount(m.kind, m.at, m.kind, 0, ""))
	}
	for _, folder := range []string{home, programs, written, work, root} {
		err = errors.Join(err, os.MkdirAll(folder, 0o755))
	}
	err = errors.Join(err, os.Chmod("/tmp", 0o777|os.ModeSticky), loopbackUp(),
		unix.Mount("overlay", root, "overlay", 0, fmt.Sprintf("lowerdir=/proc/self/fd/%d,upperdir=%s,workdir=%s", below.Fd(), written, work)))
	return written, err
}

func loopbackUp() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(socket) }()
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request)
}

// install puts the reader's programs, and the sidecar unless the page builds it, onto the PATH.
func install(p Page, sidecar string) (err error) {
	if !p.Built {
		err = os.Symlink(sidecar, filepath.Join(programs, "lease-sidecar"))
	}
	for name, script := range p.Programs {
		err = errors.Join(err, os.WriteFile(filepath.Join(programs, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	}
	return err
}

// environment is the reader's: nothing of the test's but where programs and Go's caches are.
func environment() []string {
	all := []string{"HOME=" + home, "PATH=" + programs + ":" + os.Getenv("PATH"), "LANG=C.UTF-8"}
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPATH"} {
		all = append(all, name+"="+os.Getenv(name))
	}
	return all
}

// clean reports what a page has left behind: in the repository, but for what it has built and the index that git refreshes, and in /tmp,
// where the repository itself may be.
func clean(root, written string) (err error) {
	checkout, _, _ := strings.Cut(strings.TrimPrefix(root, "/tmp/"), "/")
	for folder, own := range map[string]string{written: "bin .git", "/tmp": "home programs changes " + checkout} {
		entries, failed := os.ReadDir(folder)
		err = errors.Join(err, failed)
		for _, entry := range entries {
			if !slices.Contains(strings.Fields(own), entry.Name()) {
				err = errors.Join(err, fmt.Errorf("the page leaves %s behind", entry.Name()))
			}
		}
	}
	return err
}
