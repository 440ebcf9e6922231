package repo

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

const (
	krewScript   = ".ci/krew"
	krewManifest = ".github/krew/lease-sidecar.yaml"
)

// krewPlugin is a manifest as krew reads it: https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest/
type krewPlugin struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Version          string         `json:"version"`
		Homepage         string         `json:"homepage"`
		ShortDescription string         `json:"shortDescription"`
		Description      string         `json:"description"`
		Caveats          string         `json:"caveats"`
		Platforms        []krewPlatform `json:"platforms"`
	} `json:"spec"`
}

type krewPlatform struct {
	Selector struct {
		MatchLabels map[string]string `json:"matchLabels"`
	} `json:"selector"`
	URI    string `json:"uri"`
	SHA256 string `json:"sha256"`
	Bin    string `json:"bin"`
}

func (p krewPlatform) name() string {
	return p.Selector.MatchLabels["os"] + "-" + p.Selector.MatchLabels["arch"]
}

// archive is the last part of the URI.
func (p krewPlatform) archive() string { return p.URI[strings.LastIndex(p.URI, "/")+1:] }

// readKrew reads a manifest, and checks its form.
func readKrew(t *testing.T, text, version string) krewPlugin {
	t.Helper()
	var p krewPlugin
	if err := yaml.UnmarshalStrict([]byte(text), &p); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if p.APIVersion != "krew.googlecontainertools.github.com/v1alpha2" || p.Kind != "Plugin" || p.Metadata.Name != "lease-sidecar" || p.Spec.Version != version {
		t.Errorf("%s %s %s %s: want a Plugin lease-sidecar of version %s", p.APIVersion, p.Kind, p.Metadata.Name, p.Spec.Version, version)
	}
	if n := len(p.Spec.ShortDescription); n == 0 || n > 50 || !strings.HasPrefix(p.Spec.Homepage, "https://") || p.Spec.Description == "" {
		t.Errorf("want a homepage, a description, and a short one of at most 50 characters, not %d", n)
	}
	for _, platform := range p.Spec.Platforms {
		bin := "lease-sidecar"
		if platform.Selector.MatchLabels["os"] == "windows" {
			bin += ".exe"
		}
		want := "https://github.com/lease-sidecar/lease-sidecar/releases/download/" + version + "/kubectl-lease-sidecar-" + platform.name() + ".tar.gz"
		if platform.URI != want || platform.Bin != bin || !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(platform.SHA256) {
			t.Errorf("%s: %+v; want bin %s, 64 hexadecimal digits, and %s", platform.name(), platform, bin, want)
		}
	}
	return p
}

// TestKrewManifest: the kept manifest has the form of one, and says that it is of no release.
func TestKrewManifest(t *testing.T) {
	p := readKrew(t, read(t, filepath.Join(top, krewManifest)), "v0.0.0")
	var names []string
	for _, platform := range p.Spec.Platforms {
		names = append(names, platform.name())
		if strings.Trim(platform.SHA256, "0") != "" {
			t.Errorf("%s has a checksum, and there is no release v0.0.0", platform.name())
		}
	}
	if diff := cmp.Diff([]string{"linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64", "windows-amd64"}, names); diff != "" {
		t.Errorf("platforms (-want +got):\n%s", diff)
	}
	for _, name := range names {
		if makefile := read(t, filepath.Join(top, "Makefile")); !strings.Contains(makefile, name) {
			t.Errorf("make krew builds nothing for %s", name)
		}
	}
}

// TestKrewPacks: the script packs a binary for each platform with the license, and fills in the version and the checksums of the archives.
func TestKrewPacks(t *testing.T) {
	dir := t.TempDir()
	put := func(path, text string) {
		t.Helper()
		path = filepath.Join(dir, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{krewScript, krewManifest, "LICENSE"} {
		put(path, read(t, filepath.Join(top, path)))
	}
	of := map[string]string{}
	for _, platform := range readKrew(t, read(t, filepath.Join(top, krewManifest)), "v0.0.0").Spec.Platforms {
		of[platform.name()] = "the program for " + platform.name()
		put("built/lease-sidecar-"+platform.name(), of[platform.name()])
	}
	if err := os.Mkdir(filepath.Join(dir, "packed"), 0o755); err != nil {
		t.Fatal(err)
	}
	run := func(version string) (string, error) {
		out, err := exec.Command(filepath.Join(dir, krewScript), version, filepath.Join(dir, "built"), filepath.Join(dir, "packed")).Output()
		return string(out), err
	}
	out, err := run("v1.2.3")
	if err != nil || strings.Contains(out, "v0.0.0") {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, platform := range readKrew(t, out, "v1.2.3").Spec.Platforms {
		packed, err := os.ReadFile(filepath.Join(dir, "packed", platform.archive()))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(packed); hex.EncodeToString(sum[:]) != platform.SHA256 {
			t.Errorf("%s has the checksum %x, the manifest says %s", platform.archive(), sum, platform.SHA256)
		}
		if files := unpack(t, string(packed)); files[platform.Bin] != of[platform.name()] || len(files) != 2 || files["LICENSE"] == "" {
			t.Errorf("%s holds %d files, and as %s %q", platform.archive(), len(files), platform.Bin, files[platform.Bin])
		}
	}
	if out, err := run("1.2.3"); err == nil {
		t.Errorf("a version without v makes\n%s", out)
	}
	if err := os.Remove(filepath.Join(dir, "built", "lease-sidecar-linux-arm64")); err != nil {
		t.Fatal(err)
	}
	if out, err := run("v1.2.3"); err == nil {
		t.Errorf("a platform without a binary makes\n%s", out)
	}
}

// unpack returns the files of an archive.
func unpack(t *testing.T, packed string) map[string]string {
	t.Helper()
	files := map[string]string{}
	plain, err := gzip.NewReader(strings.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	for archive := tar.NewReader(plain); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = string(content)
	}
}
