package result

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestRoundTrip: what two programs append to one file is read in order, and series of the same kind become one.
func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.jsonl")
	machine := Machine{Begun: time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC), Commit: "abc", Cores: 2, Kubernetes: "v1.36.3"}
	first := Series{Figure: "handover/total", Subject: Sidecar, Unit: "ms", Values: []float64{3, 1, 2}}
	second := Series{Figure: "requests", Subject: ClientGo, Unit: "1/s", At: 10, Values: []float64{.5}, Note: "of ten"}
	if err := AppendMachine(path, machine); err != nil {
		t.Fatal(err)
	}
	for _, s := range []Series{first, second, first} {
		if err := Append(path, s); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	both := first
	both.Values = []float64{3, 1, 2, 3, 1, 2}
	want := Run{Machines: []Machine{machine}, Series: []Series{both, second}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	again := filepath.Join(t.TempDir(), "again.jsonl")
	if err := got.Write(again); err != nil {
		t.Fatal(err)
	}
	if copied, err := Read(again); err != nil || !cmp.Equal(copied, got) {
		t.Errorf("written and read again: %v\n%s", err, cmp.Diff(got, copied))
	}
}

// TestLaterFile: a figure that a later file has is of that file alone; its subjects are of one run.
func TestLaterFile(t *testing.T) {
	dir := t.TempDir()
	old, late := filepath.Join(dir, "old"), filepath.Join(dir, "late")
	for path, all := range map[string][]Series{
		old: {
			{Figure: "a", Subject: Sidecar, Values: []float64{1}},
			{Figure: "a", Subject: ClientGo, Values: []float64{2}},
			{Figure: "b", Subject: Sidecar, Values: []float64{3}},
		},
		late: {{Figure: "a", Subject: Sidecar, Values: []float64{4}}},
	} {
		if err := Append(path, all...); err != nil {
			t.Fatal(err)
		}
	}
	run, err := Read(old, late)
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := run.Find("a", Sidecar, 0); !ok || s.Values[0] != 4 {
		t.Errorf("a is %v, want that of the later file", s.Values)
	}
	if _, ok := run.Find("a", ClientGo, 0); ok {
		t.Error("a subject of the earlier run is compared with one of the later run")
	}
	if s, ok := run.Find("b", Sidecar, 0); !ok || s.Values[0] != 3 {
		t.Errorf("b is %v, want that of the earlier file", s.Values)
	}
}

// TestThin: a run that is made small keeps its ranks and its counts.
func TestThin(t *testing.T) {
	s := Series{Figure: "a", Subject: Sidecar}
	for i := range 10_000 {
		s.Values = append(s.Values, float64(i+1)/3)
	}
	thin := Run{Series: []Series{s}}.Thin(500).Series[0]
	if len(thin.Values) != 500 || thin.Count() != 10_000 {
		t.Errorf("%d values for %d samples, want 500 for 10000", len(thin.Values), thin.Count())
	}
	for _, share := range []float64{.01, .5, .99, 1} {
		if got, want := thin.Rank(share), s.Rank(share); got < .999*want || got > 1.001*want {
			t.Errorf("the rank of %g is %g, want %g", share, got, want)
		}
	}
	for v, want := range map[float64]float64{0: 0, 1.23456: 1.235, 123456.7: 123457, 0.000123456: 0.0001235} {
		if got := round(v); got != want {
			t.Errorf("%g becomes %g, want %g", v, got, want)
		}
	}
}

func TestRank(t *testing.T) {
	hundred := Series{}
	for i := range 100 {
		hundred.Values = append(hundred.Values, float64(100-i))
	}
	for share, want := range map[float64]float64{0: 1, .5: 50, .99: 99, 1: 100} {
		if got := hundred.Rank(share); got != want {
			t.Errorf("the rank of %g among 1 to 100 is %g, want %g", share, got, want)
		}
	}
	if got := (Series{}).Rank(.5); got != 0 {
		t.Errorf("the median of nothing is %g, want 0", got)
	}
}

func TestBrokenResults(t *testing.T) {
	for text, want := range map[string]string{
		`{"figure": "a", "subject": "floor", "values": [1]} {`: "line 2",
		`{"subject": "floor"}`:                                 "line 1: no figure",
		`{"figure": "a", "subject": "somebody"}`:               `line 1: a: unknown subject "somebody"`,
		`{"figure": "a", "subject": "floor", "colour": 1}`:     "unknown field",
		`{"figure": "a", "subject": "floor", "unit": "ms"}{"figure": "a", "subject": "floor", "unit": "s"}`: `in "s" here and in "ms" before`,
	} {
		if _, err := decode(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", text, err, want)
		}
	}
	if _, err := Read(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}
