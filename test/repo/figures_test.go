package repo

import (
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lease-sidecar/lease-sidecar/pkg/elector"
)

// timings are the figures of a term that documents and comments name: how a sentence names each, and its value at the default timings.
// The first figure after the name must be that value.
var timings = []struct {
	what string
	name *regexp.Regexp
	want func(elector.Config) time.Duration
}{
	{
		"from validUntil to the expiry of the Lease: the lease duration less the renew deadline",
		regexp.MustCompile(`(?i)gap between (the )?renew deadline and (the )?lease duration|gap between validUntil and the expiry`),
		func(c elector.Config) time.Duration { return c.Duration - c.RenewDeadline },
	},
	{
		"the kill margin: from validUntil to the death of the workload at the latest",
		regexp.MustCompile(`(?i)kill margin( K)?,? is `),
		func(c elector.Config) time.Duration { return c.KillMargin() },
	},
	{
		"the kill deadline: half a kill margin after validUntil",
		regexp.MustCompile(`(?i)half (of |the |a )*kill margin (later |after [^()]*)?\(`),
		func(c elector.Config) time.Duration { return c.KillMargin() / 2 },
	},
}

var durationInText = regexp.MustCompile(`^[^.;|\d]{0,40}?(\d+(?:\.\d+)?) ?s\b`)

// TestTimingsAreOne: a page that gives one of these figures gives the one that the elector has.
func TestTimingsAreOne(t *testing.T) {
	defaults := elector.Default()
	for _, timing := range timings {
		seen := 0
		for _, ending := range []string{".md", ".go", ".yaml"} {
			for _, path := range tree(t, ending) {
				if strings.HasSuffix(path, "_test.go") {
					continue
				}
				for _, got := range figuresAfter(read(t, path), timing.name) {
					seen++
					if want := timing.want(defaults); got != want {
						t.Errorf("%s: %s is %s at the defaults, not %s", path, timing.what, want, got)
					}
				}
			}
		}
		if seen == 0 {
			t.Errorf("no page says what this is at the defaults: %s", timing.what)
		}
	}
}

// figuresAfter returns the first figure after each place where text names something, where there is one in that sentence.
func figuresAfter(text string, name *regexp.Regexp) []time.Duration {
	text = strings.Join(strings.Fields(strings.NewReplacer("\n//", "\n", "*", "", "`", "").Replace(text)), " ")
	var found []time.Duration
	for _, at := range name.FindAllStringIndex(text, -1) {
		m := durationInText.FindStringSubmatch(text[at[1]:])
		if m == nil {
			continue
		}
		seconds, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			continue
		}
		found = append(found, time.Duration(seconds*float64(time.Second)))
	}
	return found
}

func TestFiguresAfter(t *testing.T) {
	for text, want := range map[string]int{
		"well within the gap between renew deadline and\nlease duration (4 s with the defaults)": 4,
		"// The gap between the renew deadline and the\n// lease duration: 5 s.":                 5,
		"the gap between renew deadline and lease duration. It takes 7 s":                        0,
	} {
		got := figuresAfter(text, timings[0].name)
		if want == 0 && len(got) > 0 || want > 0 && (len(got) != 1 || got[0] != time.Duration(want)*time.Second) {
			t.Errorf("figures of %q = %v, want %d s", text, got, want)
		}
	}
}

var (
	target  = regexp.MustCompile("`make ([a-z0-9-]+)[^`\n]*`")
	oneTest = regexp.MustCompile("`go test \\./(\\S+) (?:\\S+ )*?-run '?([^ '`]+)'?")
)

// TestMeasuringCommandsExist: each target of make, and each test, that a document names as the way to a figure is there.
func TestMeasuringCommandsExist(t *testing.T) {
	makefile := read(t, filepath.Join(top, "Makefile"))
	known := tests(t)
	seen := 0
	for _, path := range tree(t, ".md") {
		document := read(t, path)
		for _, m := range target.FindAllStringSubmatch(document, -1) {
			seen++
			if !strings.Contains(makefile, "\n"+m[1]+":") {
				t.Errorf("%s: no target is called %s", path, m[1])
			}
		}
		for _, m := range oneTest.FindAllStringSubmatch(document, -1) {
			for name := range strings.SplitSeq(m[2], `\|`) {
				name, _, _ = strings.Cut(name, "/") // what follows is a case of the test
				seen++
				if name != "" && !known[filepath.Base(m[1])+"."+name] {
					t.Errorf("%s: %s has no test that is called %s", path, m[1], name)
				}
			}
		}
	}
	if seen < 30 {
		t.Errorf("%d commands: has the way to write them changed?", seen)
	}
}
