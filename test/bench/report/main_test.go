package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/docs/pictures/svg"
	"github.com/lease-sidecar/lease-sidecar/test/bench/report/catalog"
	"github.com/lease-sidecar/lease-sidecar/test/bench/report/page"
	"github.com/lease-sidecar/lease-sidecar/test/bench/report/plot"
	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
)

// top is the repository, as seen from this folder.
var top = filepath.Join("..", "..", "..")

// maxPlot is what a plot may weigh, in bytes: a page has several.
const maxPlot = 15_000

// everything returns made-up results with each figure of the catalog, of each subject that it may have.
func everything() result.Run {
	run := result.Run{Machines: []result.Machine{{Commit: "abc", Cores: 2, CPU: "a CPU", Kernel: "6.1"}}}
	for i, section := range catalog.All() {
		for j, f := range section.Figures {
			places := []float64{0}
			switch f.At {
			case "replicas":
				places = []float64{1, 3, 10, 50}
			case "clients":
				places = []float64{1, 16, 64}
			case "candidates":
				places = []float64{2, 10, 50, 200, 500}
			case "elections":
				places = []float64{100, 500, 1000, 2000}
			}
			for k, who := range f.Subjects() {
				for _, at := range places {
					s := result.Series{Figure: f.ID, Subject: who, Unit: f.Unit, At: at}
					for n := range 500 {
						s.Values = append(s.Values, (1+math.Pow(float64(n%97)/50, 3))*float64(1+k*k*7)*float64(1+(i+j)%4)*(1+at/100))
					}
					run.Series = append(run.Series, s)
				}
			}
		}
	}
	return run
}

// TestPageIsCurrent: the committed page and its plots are what the report writes from the committed results.
func TestPageIsCurrent(t *testing.T) {
	folder := filepath.Join("docs", "explanation", "performance")
	kept, err := os.ReadFile(filepath.Join(top, folder, "results.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if len(kept) > 400_000 { // a run with another build beside it has 301,000
		t.Errorf("results.jsonl has %d bytes, at most 400,000 belong into the repository", len(kept))
	}
	document, err := os.ReadFile(filepath.Join(top, folder+".md"))
	if err != nil {
		t.Fatal(err)
	}
	there := t.TempDir()
	if err := os.MkdirAll(filepath.Join(there, folder), 0o755); err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string][]byte{filepath.Join(folder, "results.jsonl"): kept, folder + ".md": document} {
		if err := os.WriteFile(filepath.Join(there, path), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := write(there, nil); err != nil {
		t.Fatal(err)
	}
	files := []string{folder + ".md"}
	for _, p := range plot.Pictures(result.Run{}) {
		files = append(files, filepath.Join(folder, p.Name+"-light.svg"), filepath.Join(folder, p.Name+"-dark.svg"))
	}
	for _, path := range files {
		made, err := os.ReadFile(filepath.Join(there, path))
		if err != nil {
			t.Fatal(err)
		}
		committed, err := os.ReadFile(filepath.Join(top, path))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(made, committed) {
			t.Errorf("%s is not what the results give: run make bench-report (-committed +made):\n%s", path, cmp.Diff(string(committed), string(made)))
		}
	}
}

// TestEveryMissHasAReason: the page names the reason for each target that the committed results miss.
func TestEveryMissHasAReason(t *testing.T) {
	run, err := result.Read(filepath.Join(top, "docs", "explanation", "performance", "results.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range page.Misses(run) {
		if f.Reason == "" {
			t.Errorf("%s misses a target: give it a Reason in test/bench/report/catalog", f.ID)
		}
	}
}

// TestWriteKeepsResults: from new results the page, the plots and the kept results are made; from those it is made again alike.
func TestWriteKeepsResults(t *testing.T) {
	there := t.TempDir()
	folder := filepath.Join(there, "docs", "explanation", "performance")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	parts, err := page.Parts(result.Run{})
	if err != nil {
		t.Fatal(err)
	}
	var blank strings.Builder
	blank.WriteString("# Before\n")
	for _, p := range parts {
		blank.WriteString("<!-- measured: " + p.Name + "; make bench-report writes this -->\n<!-- end of what is measured -->\nbetween\n")
	}
	if err := os.WriteFile(folder+".md", []byte(blank.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(there, "new.jsonl")
	if err := everything().Write(file); err != nil {
		t.Fatal(err)
	}
	if err := write(there, []string{file}); err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(folder + ".md")
	if err != nil {
		t.Fatal(err)
	}
	if err := write(there, nil); err != nil {
		t.Fatal(err)
	}
	again, err := os.ReadFile(folder + ".md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(first), string(again)); diff != "" {
		t.Errorf("written again, the page differs (-first +again):\n%s", diff)
	}
	if n := strings.Count(string(first), "between\n"); n != len(parts) {
		t.Errorf("%d of %d sentences between the parts are left", n, len(parts))
	}
	if strings.Contains(string(first), "not measured") {
		t.Error("everything was measured, and the page says that something was not")
	}
}

// TestPlots: each plot of full results is XML that is small and has all its text, in both themes.
func TestPlots(t *testing.T) {
	run := everything()
	for _, results := range []result.Run{run, run.Thin(samples), {}} {
		all := plot.Pictures(results)
		for _, p := range all {
			for _, theme := range svg.Themes {
				drawing := p.SVG(theme)
				if len(drawing) > maxPlot {
					t.Errorf("%s: %d bytes, at most %d", p.Name, len(drawing), maxPlot)
				}
				if strings.Contains(drawing, "NaN") || strings.Contains(drawing, "Inf") {
					t.Errorf("%s has a coordinate that is no number", p.Name)
				}
				if err := wellFormed(drawing); err != nil {
					t.Errorf("%s: %v", p.Name, err)
				}
				if len(results.Series) == 0 != strings.Contains(drawing, "not measured") {
					t.Errorf("%s of %d series: it says that something was not measured, or does not say it", p.Name, len(results.Series))
				}
			}
		}
		if len(all) < 5 {
			t.Errorf("%d plots", len(all))
		}
	}
}

func wellFormed(drawing string) error {
	for decoder := xml.NewDecoder(strings.NewReader(drawing)); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// TestFiguresHaveTests: each figure of the catalog has a name of its own, says what it is, and is measured by a test that is there.
func TestFiguresHaveTests(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(content, -1) {
			known[string(m[1])] = true
		}
	}
	seen := map[string]bool{}
	for _, section := range catalog.All() {
		for _, f := range section.Figures {
			switch {
			case seen[f.ID]:
				t.Errorf("%s is there twice", f.ID)
			case f.Title == "" || f.What == "":
				t.Errorf("%s has no title, or does not say what is measured", f.ID)
			case !known[f.Test]:
				t.Errorf("%s is measured by %s, which is no test of test/bench", f.ID, f.Test)
			}
			seen[f.ID] = true
		}
	}
}

func TestDescribe(t *testing.T) {
	m, err := describe(top)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Kubernetes": m.Kubernetes, "etcd": m.Etcd, "client-go": m.ClientGo} {
		if !regexp.MustCompile(`^v\d+\.\d+\.\d+`).MatchString(value) {
			t.Errorf("the version of %s is %q", name, value)
		}
	}
	if m.Cores == 0 || m.CPU == "" || !regexp.MustCompile(`^[\d.]+$`).MatchString(m.Kernel) || m.Commit == "" {
		t.Errorf("something is not known: %+v", m)
	}
}

func TestCommands(t *testing.T) {
	for name, tc := range map[string]struct {
		command string
		files   []string
		want    string
	}{
		"no command":         {"", nil, `"" is no command`},
		"a missing file":     {"print", []string{filepath.Join(t.TempDir(), "none")}, "no such file"},
		"no file to be made": {"machine", nil, "machine needs one file"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := run(tc.command, tc.files, false, io.Discard); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}
