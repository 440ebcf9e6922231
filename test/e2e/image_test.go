//go:build linux

package e2e

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/test/e2e/lab"
	"github.com/lease-sidecar/lease-sidecar/test/harness"
)

// TestImage looks at what the Dockerfile makes: who runs it, what it says of itself, and what is in it besides the base image.
func TestImage(t *testing.T) {
	t.Parallel()
	l := lab.Shared(t)
	inspect := func(template string) string {
		t.Helper()
		text, err := l.Builder.Inspect(l.Images.Sidecar, template)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for template, want := range map[string]string{
		"{{.OCIv1.Config.User}}":       "65532:65532",
		"{{.OCIv1.Config.Entrypoint}}": "[/lease-sidecar]",
		"{{.OCIv1.Config.Cmd}}":        "[run]",
		"{{.OCIv1.Architecture}}":      runtime.GOARCH,
	} {
		if got := inspect(template); got != want {
			t.Errorf("%s: %q, want %q", template, got, want)
		}
	}
	for _, label := range []string{"title", "description", "source", "licenses", "version"} {
		if inspect(`{{index .OCIv1.Config.Labels "org.opencontainers.image.`+label+`"}}`) == "" {
			t.Errorf("the image has no label %s", label)
		}
	}
	size := func(path string) float64 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return float64(info.Size()) / 1e6
	}
	err := l.Builder.Open(l.Images.Sidecar, func(root string) error {
		t.Logf("figure: the binary has %.1f MB, the image with the stand-in for its base %.1f MB", size(filepath.Join(root, "lease-sidecar")), size(l.Images.Archive))
		top, err := filepath.Glob(filepath.Join(root, "*"))
		for i := range top {
			top[i] = filepath.Base(top[i])
		}
		if diff := cmp.Diff([]string{"etc", "lease-sidecar"}, top); diff != "" {
			t.Errorf("the image's root (-want +got):\n%s", diff)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestBuildsAreEqual: the image's binary is, to the bit, what the Makefile builds in another folder and from another cache. Two
// builds of the image make the same image.
func TestBuildsAreEqual(t *testing.T) {
	t.Parallel()
	l := lab.Shared(t)
	folder := t.TempDir()
	for _, name := range []string{"cmd", "pkg", "internal"} {
		if err := os.CopyFS(filepath.Join(folder, name), os.DirFS(filepath.Join(harness.ModuleRoot(t), name))); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"go.mod", "go.sum", "Makefile"} {
		text, err := os.ReadFile(filepath.Join(harness.ModuleRoot(t), name))
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("make", "-C", folder, "build", "VERSION=dev")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("make build: %v\n%s", err, out)
	}
	made, err := os.ReadFile(filepath.Join(folder, "bin", "lease-sidecar"))
	if err != nil {
		t.Fatal(err)
	}
	ofImage := func(image string) (binary []byte) {
		t.Helper()
		err := l.Builder.Open(image, func(root string) (err error) {
			binary, err = os.ReadFile(filepath.Join(root, "lease-sidecar"))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return binary
	}
	if !bytes.Equal(made, ofImage(l.Images.Sidecar)) {
		t.Error("the image's binary is another one than the Makefile's")
	}

	id := func(image string) string {
		t.Helper()
		if err := l.Builder.Sidecar(image, runtime.GOARCH, "--no-cache"); err != nil {
			t.Fatal(err)
		}
		text, err := l.Builder.Inspect(image, "{{.FromImageID}}")
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if first, second := id("localhost/once:1"), id("localhost/again:1"); first != second || len(first) != 64 {
		t.Errorf("two builds made the images %s and %s", first, second)
	}
}

// TestOtherProcessor builds the image for the processor that this machine does not have.
func TestOtherProcessor(t *testing.T) {
	t.Parallel()
	l := lab.Shared(t)
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	others := slices.DeleteFunc(slices.Clone(lab.Processors), func(p string) bool { return p == runtime.GOARCH })
	platform := others[0]
	name := "localhost/lease-sidecar:" + platform
	if err := l.Builder.Sidecar(name, platform); err != nil {
		t.Fatal(err)
	}
	if got, err := l.Builder.Inspect(name, "{{.OCIv1.Architecture}}"); err != nil || got != platform {
		t.Errorf("the image is for %q (%v), want %q", got, err, platform)
	}
	err := l.Builder.Open(name, func(root string) error {
		binary, err := elf.Open(filepath.Join(root, "lease-sidecar"))
		if err != nil {
			return err
		}
		defer func() { _ = binary.Close() }()
		if libraries, err := binary.ImportedLibraries(); binary.Machine != machines[platform] || err != nil || len(libraries) > 0 {
			t.Errorf("the binary is for %v and needs %s (%v)", binary.Machine, strings.Join(libraries, ", "), err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
