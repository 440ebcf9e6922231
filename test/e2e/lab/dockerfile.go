//go:build linux

package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// Stand-ins for the images that the Dockerfile begins with, as nothing can be pulled here: one with a shell, into which this machine's
// Go is mounted, and one with what distroless has of use for a static program. There is one of each for each processor, with the same
// in it: Debian's buildah looks for the target's, whatever FROM says of the platform to build on.
const (
	goStandIn   = "localhost/golang:"
	baseStandIn = "localhost/static:"
)

// Processors are those that images are built for.
var Processors = []string{"amd64", "arm64"}

// fetchModules brings the product's modules into the module cache. It runs on the host, which has a network.
func fetchModules() error {
	root, err := harness.ModulePath()
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "mod", "download")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("fetch the product's modules: %w\n%s", err, out)
	}
	return nil
}

// goImage makes the stand-in for the image that the binary is built on.
func (b *Builder) goImage(processor string) error {
	golang := busybox(processor) + "ENV PATH=/usr/local/go/bin:/bin GOPATH=/go GOTOOLCHAIN=local GOPROXY=off HOME=/root\n"
	return b.fromFiles(goStandIn+processor, processor, golang, map[string]string{"busybox": busyboxFile})
}

// baseImage makes the stand-in for the image that the binary is put on.
func (b *Builder) baseImage(processor string) error {
	files := map[string]string{"ca-certificates.crt": "/etc/ssl/certs/ca-certificates.crt"}
	for name, text := range map[string]string{
		"passwd": "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n",
		"group":  "root:x:0:\nnonroot:x:65532:\n",
	} {
		files[name] = filepath.Join(b.dir, name)
		if err := os.WriteFile(files[name], []byte(text), 0o600); err != nil {
			return err
		}
	}
	return b.fromFiles(baseStandIn+processor, processor, scratch(processor)+"COPY --chmod=644 passwd group /etc/\nCOPY --chmod=644 ca-certificates.crt /etc/ssl/certs/\nUSER 65532\n", files)
}

// Sidecar builds the product's image from its Dockerfile, under a name, for a processor ("amd64"), with more arguments for buildah.
func (b *Builder) Sidecar(name, processor string, args ...string) error {
	root, err := harness.ModulePath()
	if err != nil {
		return err
	}
	build, err := b.forDockerfile(processor)
	if err != nil {
		return err
	}
	_, err = b.buildah("build", slices.Concat(build, []string{"--platform", "linux/" + processor, "--tag", name}, args, []string{root})...)
	return err
}

// forDockerfile are the arguments with which buildah builds from the Dockerfile where nothing can be pulled: the stand-ins, this machine's
// Go, and its modules.
func (b *Builder) forDockerfile(processor string) ([]string, error) {
	env, err := exec.Command("go", "env", "GOROOT", "GOMODCACHE").Output()
	if err != nil {
		return nil, fmt.Errorf("find Go: %w", err)
	}
	paths := strings.Fields(string(env))
	cache := filepath.Join(b.home, "go-build") // not the host's: what this build makes is compared with what that made
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	return []string{
		"--layers", "--pull-never", "--timestamp", "0", "--volume", paths[0] + ":/usr/local/go:ro", "--volume", paths[1] + ":/go/pkg/mod",
		"--volume", cache + ":/root/.cache/go-build", "--build-arg", "GO_IMAGE=" + goStandIn + processor, "--build-arg", "BASE_IMAGE=" + baseStandIn + processor,
	}, nil
}
