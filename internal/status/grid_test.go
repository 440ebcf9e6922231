package status

import (
	"encoding/json"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/google/go-cmp/cmp"
)

// TestGridIsKubectls: columns are as text/tabwriter makes them with the settings of kubectl's printers.
func TestGridIsKubectls(t *testing.T) {
	rows := [][]string{{"NAME", "A", "STATE"}, {"x", "", "Held"}, {"a-longer-name", "äöü", ""}, {"b", "1234567", "y"}}
	var want, got strings.Builder
	w := tabwriter.NewWriter(&want, 6, 4, 3, ' ', 0)
	for _, row := range rows {
		_, _ = w.Write([]byte(strings.Join(row, "\t") + "\n"))
	}
	_ = w.Flush()
	g := grid{}
	if err := g.print(&got, rows); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), got.String()); diff != "" {
		t.Errorf("(-tabwriter +grid):\n%s", diff)
	}
	var later strings.Builder
	if err := g.print(&later, [][]string{{"c", "2", "z"}}); err != nil || !strings.HasPrefix(later.String(), "c               2         z") {
		t.Errorf("a later row: %q, %v; want it below its columns", later.String(), err)
	}
}

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "",
		"web-0":                        "web-0",
		"grün 漢字":                      "grün 漢字",
		"\x1b]0;title\a\r\n\t\x00\x7f": `\x1b]0;title\a\r\n\t\x00\x7f`,
		"\u202egnp.exe":                `\u202egnp.exe`,
		"a\u0301\u00a0b\u200b":         `a\u0301\u00a0b\u200b`,
		"\u009b31m":                    `\u009b31m`,
		"\xff":                         "\ufffd",
		strings.Repeat("x", 253):       strings.Repeat("x", 253),
		strings.Repeat("x", 254):       strings.Repeat("x", 250) + "...",
	} {
		if got := printable(text); got != want {
			t.Errorf("printable(%q) = %q, want %q", text, got, want)
		}
	}
}

// TestEscapedJSON: no byte of it is one that a terminal obeys, and it reads the same.
func TestEscapedJSON(t *testing.T) {
	const text = "\x1b\u009b\u007f\u202e\U000e0001 grün"
	plain, _ := json.Marshal(text)
	shown := string(escaped(plain))
	if strings.ContainsFunc(shown, hidden) || decoded[string](t, shown) != text {
		t.Errorf("shown as %s", shown)
	}
}
