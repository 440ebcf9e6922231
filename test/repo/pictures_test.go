package repo

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// maxPicture is what one picture may weigh, in bytes: a page has several.
const maxPicture = 20_000

var pictureFolder = filepath.Join(top, "docs", "pictures")

// TestPicturesAreDrawn draws the pictures again and compares: no committed one was edited by hand, or is older than the program.
func TestPicturesAreDrawn(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "run", "-buildvcs=false", "./docs/pictures", "-into", dir)
	cmd.Dir = top
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("draw the pictures: %v\n%s", err, out)
	}
	drawn, committed := picturesIn(t, dir), picturesIn(t, pictureFolder)
	if diff := cmp.Diff(drawn, committed); diff != "" {
		t.Errorf("%s is not what the program draws: run make pictures (-program +file):\n%s", pictureFolder, diff)
	}
	if len(drawn) < 2 {
		t.Errorf("%d pictures, want several", len(drawn))
	}
}

func picturesIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.svg"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, path := range paths {
		found[filepath.Base(path)] = read(t, path)
	}
	return found
}

// TestPicturesAreAccessible: each picture is XML with a title and a description, not too large, there in both themes, and loads
// nothing from elsewhere.
func TestPicturesAreAccessible(t *testing.T) {
	for _, folder := range []string{pictureFolder, filepath.Join(top, "docs", "explanation", "performance")} {
		all := picturesIn(t, folder)
		if len(all) == 0 {
			t.Errorf("%s has no pictures", folder)
		}
		for name, svg := range all {
			for _, fault := range pictureFaults(svg) {
				t.Errorf("%s: %s", name, fault)
			}
			other := strings.NewReplacer("-light", "-dark", "-dark", "-light").Replace(name)
			if _, ok := all[other]; !ok || other == name {
				t.Errorf("%s: there is no %s", name, other)
			}
		}
	}
}

func TestPictureFaults(t *testing.T) {
	const good = `<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="a b"><title id="a">A pod</title><desc id="b">A box.</desc></svg>`
	for name, tc := range map[string]struct {
		svg  string
		want []string
	}{
		"good":           {good, nil},
		"broken":         {good[:len(good)-1], []string{"XML syntax error on line 1: unexpected EOF"}},
		"no title":       {strings.Replace(good, "A pod", " ", 1), []string{"no title"}},
		"no description": {strings.Replace(good, "desc", "g", 2), []string{"no desc"}},
		"no role":        {strings.Replace(good, "role=", "roles=", 1), []string{"not an image by its role"}},
		"from elsewhere": {strings.Replace(good, "</svg>", `<image href="https://x.org/y.png"/></svg>`, 1), []string{"loads https://x.org/y.png"}},
		"too large":      {strings.Replace(good, "A box.", strings.Repeat("box ", maxPicture/4), 1), []string{"20126 bytes, at most 20000"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, pictureFaults(tc.svg)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

// pictureFaults returns what keeps an SVG from being shown and read everywhere.
func pictureFaults(svg string) []string {
	var faults []string
	says := map[string]bool{}
	image := false
	decoder := xml.NewDecoder(strings.NewReader(svg))
	for within := ""; ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return []string{err.Error()}
		}
		switch token := token.(type) {
		case xml.StartElement:
			within = token.Name.Local
			for _, a := range token.Attr {
				image = image || within == "svg" && a.Name.Local == "role" && a.Value == "img"
				if a.Name.Local == "href" {
					faults = append(faults, "loads "+a.Value)
				}
			}
		case xml.EndElement:
			within = ""
		case xml.CharData:
			says[within] = says[within] || strings.TrimSpace(string(token)) != ""
		}
	}
	for _, name := range []string{"title", "desc"} {
		if !says[name] {
			faults = append(faults, "no "+name)
		}
	}
	if !image {
		faults = append(faults, "not an image by its role")
	}
	if len(svg) > maxPicture {
		faults = append(faults, fmt.Sprintf("%d bytes, at most %d", len(svg), maxPicture))
	}
	return faults
}

var (
	source      = regexp.MustCompile(`(?:src|srcset)="([^"]+)"`)
	alternative = regexp.MustCompile(`<img [^>]*alt="[^"]+`)
)

// TestPicturesOfDocuments: each picture that a document shows is there, and has a text for those who do not see it.
func TestPicturesOfDocuments(t *testing.T) {
	shown := 0
	for _, path := range tree(t, ".md") {
		document := fenced.ReplaceAllString(read(t, path), "")
		for _, m := range source.FindAllStringSubmatch(document, -1) {
			shown++
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
		if images, described := strings.Count(document, "<img "), len(alternative.FindAllString(document, -1)); images != described {
			t.Errorf("%s: %d images, %d of them with a text", path, images, described)
		}
	}
	if shown == 0 {
		t.Error("no document shows a picture")
	}
}

// headings are the words in capitals of a table on a screen.
var headings = regexp.MustCompile(`\b[A-Z]{4,}\b`)

// TestDemoLooksAsCaptured: the headings of the captured screen are those that the demo prints.
func TestDemoLooksAsCaptured(t *testing.T) {
	captured := headings.FindAllString(read(t, filepath.Join(pictureFolder, "demo.txt")), -1)
	if len(captured) == 0 {
		t.Fatal("the capture has no headings")
	}
	var code strings.Builder
	for _, path := range tree(t, ".go") {
		if filepath.Base(filepath.Dir(path)) == "demo" && !strings.HasSuffix(path, "_test.go") {
			code.WriteString(read(t, path))
		}
	}
	for _, heading := range captured {
		if !strings.Contains(code.String(), heading) {
			t.Errorf("the demo prints no %s any more: run docs/pictures/capture.sh, then make pictures", heading)
		}
	}
}
