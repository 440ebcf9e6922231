package naming

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every name that ParseLeaseName takes names a file, and no two the same one.
func TestFileNamesOfLongNames(t *testing.T) {
	label := strings.Repeat("a", 63)
	longest := label + "." + label + "." + label + "." + strings.Repeat("a", 61) // 253
	dir := t.TempDir()
	seen := map[string]string{}
	for _, name := range []string{
		"web", strings.Repeat("a", 200), strings.Repeat("a", 201), longest[:252], longest,
		label + "." + longest, longest[:252] + "b", // a namespace before it; a last letter that differs
	} {
		got := FileName(name)
		if other, taken := seen[got]; taken {
			t.Errorf("%s and %s share the file name %s", name, other, got)
		}
		seen[got] = name
		if len(name) <= 200 && got != name {
			t.Errorf("FileName(%q) = %q; want it as it is", name, got)
		}
		if err := os.WriteFile(filepath.Join(dir, "."+got+".ledger.json"), nil, 0o600); err != nil {
			t.Errorf("a name of %d bytes: %v", len(name), err)
		}
	}
}
