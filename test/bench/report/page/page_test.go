package page

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lease-sidecar/lease-sidecar/test/bench/report/catalog"
	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
)

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.0001: "0", 0.0456: "0.0456", 0.333333: "0.333", 1: "1", 4.75: "4.75", 16.94: "16.9", 114.4: "114", 1234567: "1,234,567", -1234: "-1,234", 999.6: "1000",
	} {
		if got := number(v); got != want {
			t.Errorf("number(%g) = %s, want %s", v, got, want)
		}
	}
	for pair, want := range map[[2]float64]string{{16, 582}: "1/36.4", {1, 2}: "0.50", {3, 2}: "1.5", {0, 5}: "0", {5, 0}: none} {
		if got := times(pair[0], pair[1]); got != want {
			t.Errorf("times(%v) = %s, want %s", pair, got, want)
		}
	}
}

// figure is one of a made-up section.
var figure = catalog.Figure{
	ID: "a", Title: "a time", What: "from here to there", Unit: "ms", Test: "TestA",
	Targets: []catalog.Limit{{Text: "p50 ≤ 12 ms", Share: .5, Max: 12}}, Reason: "the disk is slow.",
}

func TestTables(t *testing.T) {
	values := func(who result.Subject, at float64, all ...float64) result.Series {
		return result.Series{Figure: "a", Subject: who, Unit: "ms", At: at, Values: all}
	}
	swept := figure
	swept.At = "replicas"
	for name, tc := range map[string]struct {
		section catalog.Section
		run     []result.Series
		want    []string
	}{
		"samples, a target met": {
			catalog.Section{Figures: []catalog.Figure{figure}},
			[]result.Series{values(result.Sidecar, 0, 10, 11, 30), values(result.ClientGo, 0, 500, 550, 600)},
			[]string{
				"| what | who | n | p50 | middle half | p99 | max | beside client-go, by p50 | target |",
				"| a time, ms | lease-sidecar | 3 | 11 | 10–30 | – | 30 | 1/50 | p50 ≤ 12 ms: met |",
				"| a time, ms | client-go | 3 | 550 | 500–600 | – | 600 | – | – |",
			},
		},
		"samples, a target missed": {
			catalog.Section{Figures: []catalog.Figure{figure}},
			[]result.Series{values(result.Sidecar, 0, 13)},
			[]string{
				"| a time, ms | lease-sidecar | 1 | 13 | – | – | 13 | – | **p50 ≤ 12 ms: miss** |",
				"| a time, ms | client-go | not measured | – | – | – | – | – | – |",
				"- **Missed**: a time: the disk is slow.",
			},
		},
		"nothing measured": {
			catalog.Section{Form: catalog.Subjects, Figures: []catalog.Figure{figure}},
			nil,
			[]string{
				"| what | lease-sidecar | client-go | n | beside client-go, by the median | target |",
				"| a time, ms | not measured | not measured | 0 | – | p50 ≤ 12 ms: not measured |",
			},
		},
		"subjects": {
			catalog.Section{Form: catalog.Subjects, Figures: []catalog.Figure{figure}},
			[]result.Series{values(result.Sidecar, 0, 4), values(result.ClientGo, 0, 1, 2, 3), values(result.Before, 0, 5)},
			[]string{
				"| what | lease-sidecar | client-go | lease-sidecar, before | n | beside client-go, by the median | target |",
				"| a time, ms | 4 | 2 (1–3) | 5 | 1–3 | 2 | p50 ≤ 12 ms: met |",
			},
		},
		"a sweep, which misses its target at one place": {
			catalog.Section{Form: catalog.Sweep, Figures: []catalog.Figure{swept}},
			[]result.Series{values(result.Sidecar, 3, 4), values(result.Sidecar, 10, 40), values(result.ClientGo, 3, 8)},
			[]string{
				"| what | who | 3 replicas | 10 replicas | n | beside client-go, at the last place of both | target |",
				"| a time, ms | lease-sidecar | 4 | 40 | 1 | 0.50 | **p50 ≤ 12 ms: miss** |",
				"| a time, ms | client-go | 8 | – | 1 | – | – |",
				"- **Missed**: a time: the disk is slow.",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := table(tc.section, result.Run{Series: tc.run})
			for _, line := range append(tc.want, "- *a time*: from here to there", "By `make bench BENCH_RUN=TestA`.") {
				if !strings.Contains(got, line+"\n") {
					t.Errorf("no line\n%s\nin\n%s", line, got)
				}
			}
			if strings.Contains(got, "Missed") != strings.Contains(strings.Join(tc.want, ""), "Missed") {
				t.Errorf("the reason of a miss is there without one, or missing:\n%s", got)
			}
		})
	}
}

// TestNothingIsOmitted: a run without results has each figure of the catalog on the page, as not measured.
func TestNothingIsOmitted(t *testing.T) {
	parts, err := Parts(result.Run{})
	if err != nil {
		t.Fatal(err)
	}
	for _, section := range catalog.All() {
		for _, f := range section.Figures {
			found := false
			for _, part := range parts {
				for line := range strings.Lines(part.Text) {
					found = found || part.Name == section.ID && strings.HasPrefix(line, "| "+f.Title) && strings.Contains(line, notMeasured)
				}
			}
			if !found {
				t.Errorf("%s: no row says that it was not measured", f.ID)
			}
		}
	}
}

func TestUnknownFigures(t *testing.T) {
	for name, tc := range map[string]struct {
		series result.Series
		want   string
	}{
		"a figure":        {result.Series{Figure: "handover/magic", Subject: result.Sidecar}, "figure handover/magic is not in the catalog"},
		"a unit":          {result.Series{Figure: "handover/total", Subject: result.Sidecar, Unit: "s"}, `measured in "s", and in "ms" by the catalog`},
		"a place":         {result.Series{Figure: "handover/total", Subject: result.Sidecar, Unit: "ms", At: 3}, `handover/total at 3: by the catalog it is measured at ""`},
		"a missing place": {result.Series{Figure: "requests/fleet", Subject: result.Sidecar, Unit: "1/s"}, `requests/fleet at 0: by the catalog it is measured at "replicas"`},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parts(result.Run{Series: []result.Series{tc.series}}); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}

func TestFill(t *testing.T) {
	place := func(name, text string) string { return fmt.Sprintf(begin, name) + text + end }
	for name, tc := range map[string]struct {
		document string
		want     string
		fault    string
	}{
		"what stands between the markers is replaced": {
			"A\n" + place("one", "old\n") + "B\n" + place("two", "") + "C\n", "A\n" + place("one", "\n1\n\n") + "B\n" + place("two", "\n2\n\n") + "C\n", "",
		},
		"a part has no place":  {place("one", ""), "", "0 places for the part two"},
		"a part has two":       {place("one", "") + place("two", "") + place("two", ""), "", "2 places for the part two"},
		"a place has no part":  {place("one", "") + place("two", "") + place("three", ""), "", "a place for three"},
		"a place has no end":   {place("one", "") + fmt.Sprintf(begin, "two"), "", "0 places for the part two"},
		"only text, no places": {"text", "", "0 places for the part one"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Fill(tc.document, []Part{{"one", "1\n"}, {"two", "2\n"}})
			if tc.fault != "" {
				if err == nil || !strings.Contains(err.Error(), tc.fault) {
					t.Errorf("error %v, want one with %q", err, tc.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
