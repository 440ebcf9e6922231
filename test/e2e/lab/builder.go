//go:build linux

package lab

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Builder builds images by buildah, with a store that is kept from run to run.
type Builder struct {
	dir  string // of this run
	home string // of all runs
}

// newBuilder returns one with the stand-ins in its store, whose files are in dir.
func newBuilder(dir string) (*Builder, error) {
	top, err := home()
	if err != nil {
		return nil, err
	}
	b := &Builder{dir: filepath.Join(dir, "images"), home: top}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return nil, err
	}
	for _, p := range Processors {
		if err := errors.Join(b.goImage(p), b.baseImage(p)); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// busyCopy is how buildah fails where the kernel still writes the copy of itself that it has made to execute. It happens now and then.
const busyCopy = "sealing memfd copy: Device or resource busy"

// buildah runs a subcommand on the store.
func (b *Builder) buildah(sub string, args ...string) (out string, err error) {
	for range 5 {
		if out, err = b.buildahOnce(sub, args...); err == nil || !strings.Contains(err.Error(), busyCopy) {
			break
		}
	}
	return out, err
}

// store are the arguments that name the store.
func (b *Builder) store() []string {
	return []string{"--root", filepath.Join(b.home, "buildah"), "--runroot", "/run/buildah", "--storage-driver", "overlay"}
}

func (b *Builder) buildahOnce(sub string, args ...string) (string, error) {
	cmd := exec.Command("buildah", slices.Concat(b.store(), []string{sub}, args)...)
	cmd.Env = append(os.Environ(), "BUILDAH_ISOLATION=chroot", "TMPDIR="+b.dir)
	var warnings strings.Builder
	cmd.Stderr = &warnings
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("buildah %s: %w\n%s%s", sub, err, out, warnings.String())
	}
	return strings.TrimSpace(string(out)), nil
}

// fromFiles makes an image from a Dockerfile's text and files, by their paths in the context.
func (b *Builder) fromFiles(name, processor, dockerfile string, files map[string]string) error {
	from, err := os.MkdirTemp(b.dir, "context-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(from) }()
	if err := os.WriteFile(filepath.Join(from, "Dockerfile"), []byte(dockerfile), 0o600); err != nil {
		return err
	}
	for path, source := range files {
		if err := copyProgram(source, filepath.Join(from, path)); err != nil {
			return err
		}
	}
	_, err = b.buildah("build", "--layers", "--pull-never", "--platform", "linux/"+processor, "--timestamp", "0", "--tag", name, from)
	return err
}

func copyProgram(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("open a file for an image (.ci/prerequisites e2e installs it): %w", err)
	}
	defer func() { _ = source.Close() }()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}

// export writes an image into an archive that containerd imports, and returns its path.
func (b *Builder) export(name string) (string, error) {
	archive := filepath.Join(b.dir, strings.NewReplacer("/", "_", ":", "_").Replace(name)+".tar")
	_, err := b.buildah("push", name, "docker-archive:"+archive+":"+name)
	return archive, err
}

// Inspect returns a field of an image's description, by a Go template.
func (b *Builder) Inspect(name, template string) (string, error) {
	return b.buildah("inspect", "--type", "image", "--format", template, name)
}

// Open mounts an image for a moment and has look see the folder.
func (b *Builder) Open(image string, look func(root string) error) error {
	container, err := b.buildah("from", "--pull-never", image)
	if err != nil {
		return err
	}
	mounted, err := b.buildah("mount", container)
	if err == nil {
		err = look(mounted)
	}
	_, gone := b.buildah("rm", container)
	return errors.Join(err, gone)
}
