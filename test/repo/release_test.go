package repo

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	releaseNotes = ".ci/release-notes"
	charts       = "examples/helm"
)

// TestReleaseNotes gives the script other changelogs and charts: it prints the section of the version, or says everything that does not agree.
func TestReleaseNotes(t *testing.T) {
	const changelog = "# Changelog\n\n## [Unreleased]\n\n### Added\n- later\n\n## [1.2.0] - 2026-11-26\n\n### Added\n- a\n\n### Fixed\n- b\n\n" +
		"## [1.1.0] - 2026-10-01\n- old\n\n## [1.0.0] - 2026-09-01\n"
	for name, tc := range map[string]struct {
		tag, chart, app, image, want string
		faults                       []string
	}{
		"the newest":                {"v1.2.0", "1.2.0", "1.2.0", "ghcr.io/lease-sidecar/lease-sidecar:1.2.0", "### Added\n- a\n\n### Fixed\n- b\n", nil},
		"an older one":              {"v1.1.0", "1.1.0", "1.1.0", "ghcr.io/lease-sidecar/lease-sidecar:1.1.0", "- old\n", nil},
		"no section":                {"v1.3.0", "1.3.0", "1.3.0", "ghcr.io/lease-sidecar/lease-sidecar:1.3.0", "", []string{`CHANGELOG.md has no line "## [1.3.0] - YYYY-MM-DD"`}},
		"an empty section":          {"v1.0.0", "1.0.0", "1.0.0", "ghcr.io/lease-sidecar/lease-sidecar:1.0.0", "", []string{"section [1.0.0] of CHANGELOG.md is empty"}},
		"the chart stayed behind":   {"v1.2.0", "1.1.0", "1.2.0", "ghcr.io/lease-sidecar/lease-sidecar:1.1.0", "", []string{`Chart.yaml has version "1.1.0": set it to "1.2.0"`}},
		"the image is nobody's":     {"v1.2.0", "1.2.0", "1.2.0", "lease-sidecar:dev", "", []string{`values.yaml has repository "lease-sidecar": set it to "ghcr.io`, `tag "dev": set it to "1.2.0"`}},
		"nothing agrees":            {"v1.3.0", "1.2.0", "1.1.0", "ghcr.io/lease-sidecar/lease-sidecar:1.2.0", "", []string{"no line", `version "1.2.0"`, `appVersion "1.1.0"`}},
		"a tag without v":           {"1.2.0", "1.2.0", "1.2.0", "ghcr.io/lease-sidecar/lease-sidecar:1.2.0", "", []string{`not "1.2.0"`}},
		"no tag":                    {"", "1.2.0", "1.2.0", "ghcr.io/lease-sidecar/lease-sidecar:1.2.0", "", []string{"run .ci/release-notes VERSION"}},
		"a tag of another program":  {"v1.2.0; id", "1.2.0", "1.2.0", "ghcr.io/lease-sidecar/lease-sidecar:1.2.0", "", []string{"a release is named as v0.1.0"}},
		"a candidate has a section": {"v1.2.0-rc.1", "1.2.0-rc.1", "1.2.0-rc.1", "ghcr.io/lease-sidecar/lease-sidecar:1.2.0-rc.1", "", []string{"[1.2.0-rc.1]"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			repository, tag, _ := strings.Cut(tc.image, ":")
			for path, text := range map[string]string{
				releaseNotes: read(t, filepath.Join(top, releaseNotes)), "CHANGELOG.md": changelog,
				charts + "/leader-web/Chart.yaml":     "version: " + tc.chart + "\nappVersion: \"" + tc.app + "\" # of the image\ndependencies:\n  - name: x\n    version: " + tc.chart + "\n",
				charts + "/lease-sidecar/Chart.yaml":  "version: " + tc.chart + "\nappVersion: \"" + tc.app + "\"\n",
				charts + "/lease-sidecar/values.yaml": "image:\n  repository: " + repository + "\n  tag: " + tag + "\n",
			} {
				put(t, filepath.Join(dir, path), text)
			}
			var faults strings.Builder
			cmd := exec.Command(filepath.Join(dir, releaseNotes), tc.tag)
			cmd.Stderr = &faults
			out, err := cmd.Output()
			if got := string(out); got != tc.want || (err != nil) != (tc.faults != nil) {
				t.Errorf("printed %q (%v), want %q\n%s", got, err, tc.want, &faults)
			}
			for _, fault := range tc.faults {
				if !strings.Contains(faults.String(), fault) {
					t.Errorf("said %q, want %q in it", &faults, fault)
				}
			}
		})
	}
}
