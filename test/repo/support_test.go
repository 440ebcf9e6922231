package repo

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pins are where the version of each component of the support page is pinned: a file, and what stands before the version there.
var pins = map[string]struct{ file, before string }{
	"kube-apiserver":   {"test/cluster/go.mod", `\tk8s\.io/kubernetes `},
	"etcd":             {"test/cluster/go.mod", `\tgo\.etcd\.io/etcd/server/v3 `},
	"client-go":        {"go.mod", `\tk8s\.io/client-go `},
	"client-go, older": {"test/peer/v0.36.mod", `\tk8s\.io/client-go `},
	"helm":             {"test/cluster/recipes.go", `\thelmVersion  = "`},
	"helm, older":      {"test/cluster/recipes.go", `\thelm3Version = "`},
	"versitygw":        {"test/cluster/recipes.go", `const s3Version = "`},
	"Go":               {"go.mod", `\ngo `},
}

// TestSupportedVersions compares the versions on the support page, and what the README says of Kubernetes, with those that the tests build.
func TestSupportedVersions(t *testing.T) {
	page := read(t, filepath.Join(top, "docs", "reference", "support.md"))
	_, table, _ := strings.Cut(page, "\n## What the tests run\n")
	table, _, _ = strings.Cut(table, "\n## ")
	documented, pinned := map[string]string{}, map[string]string{}
	for _, row := range regexp.MustCompile(`(?m)^\| ([^|]+) \| (v?[\d.]+) \|`).FindAllStringSubmatch(table, -1) {
		documented[row[1]] = row[2]
	}
	for component, pin := range pins {
		m := regexp.MustCompile(pin.before + `(v?\d+\.\d+(?:\.\d+)?)`).FindStringSubmatch(read(t, filepath.Join(top, filepath.FromSlash(pin.file))))
		if m == nil {
			t.Fatalf("%s does not pin %s", pin.file, component)
		}
		pinned[component] = m[1]
	}
	pinned["Go"] = minor(pinned["Go"])
	if diff := cmp.Diff(pinned, documented); diff != "" {
		t.Errorf("docs/reference/support.md (-pinned +the page):\n%s", diff)
	}
	kubernetes := minor(strings.TrimPrefix(pinned["kube-apiserver"], "v"))
	if row := "| " + kubernetes + " | tested |"; !strings.Contains(page, row) {
		t.Errorf("docs/reference/support.md has no row %q", row)
	}
	if sentence := "Tested against etcd and kube-apiserver " + kubernetes + " "; !strings.Contains(read(t, filepath.Join(top, "README.md")), sentence) {
		t.Errorf("README.md does not say %q", sentence)
	}
}

// minor returns the first two numbers of a version.
func minor(version string) string {
	first, rest, _ := strings.Cut(version, ".")
	second, _, _ := strings.Cut(rest, ".")
	return first + "." + second
}
