package repo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// The image that a release pushes, the one that a user builds, and the version that comes first.
const (
	published    = "ghcr.io/lease-sidecar/lease-sidecar"
	ownImage     = "lease-sidecar:dev"
	firstVersion = "0.1.0"
)

var (
	releaseHeading = regexp.MustCompile(`(?m)^## \[([^\]]+)\](?: - \d{4}-\d{2}-\d{2})?$`)
	imageNamed     = regexp.MustCompile(`((?:image|reference): "?)?((?:[\w.-]+/)*lease-sidecar:\w[\w.-]*)`)
	noRelease      = regexp.MustCompile(`(?i)no release yet|none is published|no image is published|until 0\.1 is released`)
)

// disagreements reads a tree whose newest release is the one at the top of its changelog. It returns what names another version or
// another image, and the sentences that there is no release yet where there is one. Before the first release, the charts have the version
// that comes first, and pull the image that their user builds: no registry has another one.
func disagreements(root string) (wrong, stale []string, err error) {
	text := func(path string) string {
		content, failed := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
		err = errors.Join(err, failed)
		return string(content)
	}
	headings := releaseHeading.FindAllStringSubmatch(text("CHANGELOG.md"), -1)
	if len(headings) == 0 || headings[0][1] != "Unreleased" {
		return nil, nil, fmt.Errorf("CHANGELOG.md begins with %q, want [Unreleased] (%w)", headings, err)
	}
	version, image, released := firstVersion, ownImage, len(headings) > 1
	if released {
		version = headings[1][1]
		image = published + ":" + version
	}
	want := func(path, what, got, want string) {
		if got != want {
			wrong = append(wrong, fmt.Sprintf("%s has %s %q, want %q", path, what, got, want))
		}
	}
	paths, failed := namingFiles(root)
	err = errors.Join(err, failed)
	for _, path := range paths {
		content := text(path)
		if filepath.Base(path) == "Chart.yaml" {
			var chart struct {
				Version, AppVersion string
				Dependencies        []struct{ Version string }
			}
			err = errors.Join(err, yaml.Unmarshal([]byte(content), &chart))
			want(path, "version", chart.Version, version)
			want(path, "appVersion", chart.AppVersion, version)
			for _, d := range chart.Dependencies {
				want(path, "a dependency of version", d.Version, version)
			}
		}
		for _, m := range imageNamed.FindAllStringSubmatch(content, -1) {
			switch name := m[2]; {
			case strings.HasPrefix(name, "registry.example.com/"): // the reader's own
				want(path, "the tag latest", fmt.Sprint(strings.HasSuffix(name, ":latest")), "false")
			case m[1] != "": // to be pulled
				want(path, "the image", name, image)
			case name != ownImage:
				want(path, "the image", name, published+":"+version)
			}
		}
		if sentence := noRelease.FindString(content); released && sentence != "" {
			stale = append(stale, fmt.Sprintf("%s still says %q", path, sentence))
		}
	}
	var values struct {
		Image struct{ Repository, Tag string }
	}
	err = errors.Join(err, yaml.Unmarshal([]byte(text(charts+"/lease-sidecar/values.yaml")), &values))
	want("the library chart", "the image", values.Image.Repository+":"+values.Image.Tag, image)
	for path, before := range map[string]string{"SECURITY.md": "\nVERSION=", charts + "/lease-sidecar/README.md": "\n       version: "} {
		_, after, _ := strings.Cut(text(path), before)
		got, _, _ := strings.Cut(after, "\n")
		want(path, strings.TrimSpace(before), got, version)
	}
	return wrong, stale, err
}

// namingFiles are the files of a tree that may name a version or an image of a release: what users read, and what they install. The
// changelog names many, and CONTRIBUTING.md says how to make one.
func namingFiles(root string) (paths []string, err error) {
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if entry.IsDir() {
			if path != root && (ignored(entry.Name()) || name == "test") {
				return fs.SkipDir
			}
			return err
		}
		if end := filepath.Ext(name); (end == ".md" || end == ".yaml" || name == "Dockerfile") && name != "CHANGELOG.md" && name != "CONTRIBUTING.md" && entry.Type().IsRegular() {
			paths = append(paths, filepath.ToSlash(name))
		}
		return err
	})
	return paths, err
}

// TestReleaseNamesAgree: charts, manifests and documents name the newest release, and the workflow publishes under these names.
func TestReleaseNamesAgree(t *testing.T) {
	wrong, stale, err := disagreements(top)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range slices.Concat(wrong, stale) {
		t.Error(fault + ": the newest release in CHANGELOG.md is written elsewhere by make version")
	}
	workflow := read(t, filepath.Join(top, ".github", "workflows", "release.yml"))
	for _, used := range []string{"\n  IMAGE: " + published + "\n", "\n  CHARTS: oci://ghcr.io/lease-sidecar/charts\n", `"$IMAGE:${TAG#v}"`, "dist/*.tgz"} {
		if !strings.Contains(workflow, used) {
			t.Errorf("release.yml has no %q", used)
		}
	}
}

// TestSetVersion adds a release to a copy of the tree. All names are then wrong, until the script has written them, after which a
// person has the sentences left. Each name that is then changed is found.
func TestSetVersion(t *testing.T) {
	root := t.TempDir()
	paths, err := namingFiles(top)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(paths, "CHANGELOG.md", ".ci/set-version", releaseNotes) {
		put(t, filepath.Join(root, path), read(t, filepath.Join(top, path)))
	}
	changelog := filepath.Join(root, "CHANGELOG.md")
	put(t, changelog, strings.Replace(read(t, changelog), "## [Unreleased]\n", "## [Unreleased]\n\n## [1.2.0-rc.1] - 2026-11-26\n\n- first\n", 1))
	if wrong, _, err := disagreements(root); err != nil || len(wrong) < 20 {
		t.Errorf("a release that is nowhere but in the changelog: %q, %v", wrong, err)
	}
	for _, script := range []*exec.Cmd{exec.Command(filepath.Join(root, ".ci", "set-version")), exec.Command(filepath.Join(root, releaseNotes), "v1.2.0-rc.1")} {
		if out, err := script.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", script, err, out)
		}
	}
	wrong, stale, err := disagreements(root)
	if err != nil || len(wrong) > 0 || len(stale) == 0 {
		t.Errorf("the script leaves %q, and for a person %q (%v)", wrong, stale, err)
	}
	for path, change := range map[string][2]string{
		"examples/manifests/job.yaml":                {"image: " + published + ":1.2.0-rc.1", "image: " + ownImage},
		"examples/manifests/child-image-volume.yaml": {":1.2.0-rc.1}", ":1.1.0}"},
		"examples/helm/leader-child/Chart.yaml":      {"    version: 1.2.0-rc.1", "    version: 1.1.0"},
		"examples/helm/lease-sidecar/values.yaml":    {"tag: 1.2.0-rc.1", "tag: dev"},
		"docs/how-to/run-a-command.md":               {"image: " + published + ":1.2.0-rc.1", "image: " + published + ":1.1.0"},
		"docs/how-to/add-to-a-pod.md":                {"registry.example.com/lease-sidecar:0.1.0", "registry.example.com/lease-sidecar:latest"},
		"SECURITY.md":                                {"VERSION=1.2.0-rc.1", "VERSION=1.1.0"},
	} {
		file := filepath.Join(root, path)
		before := read(t, file)
		put(t, file, strings.Replace(before, change[0], change[1], 1))
		if wrong, _, err := disagreements(root); err != nil || len(wrong) != 1 {
			t.Errorf("%s with %q for %q: found %q (%v), want one fault", path, change[1], change[0], wrong, err)
		}
		put(t, file, before)
	}
}

// put writes an executable file, and makes its folder.
func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}
