package bounds

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/lease-sidecar/lease-sidecar/test/bench/report/catalog"
	"github.com/lease-sidecar/lease-sidecar/test/bench/result"
)

func series(who result.Subject, at float64, values ...float64) result.Series {
	return result.Series{Figure: "handover/total", Subject: who, Unit: "ms", At: at, Values: values}
}

// TestPlantedRegressions: the check is green for results within the bounds, and red for each way in which results can be worse.
func TestPlantedRegressions(t *testing.T) {
	ratio := Bound{Figure: "handover/total", Least: 3, Limit: catalog.Limit{Text: "p50", Share: .5, Factor: .1, Against: result.ClientGo}}
	budget := Bound{Figure: "handover/total", Least: 3, Limit: catalog.Limit{Text: "max", Share: 1, Max: 50}}
	sweep := Bound{Figure: "requests/fleet", Limit: catalog.Limit{Text: "max", Share: 1, Max: .4}}
	fleet := func(at, value float64) result.Series {
		return result.Series{Figure: "requests/fleet", Subject: result.Sidecar, Unit: "1/s", At: at, Values: []float64{value}}
	}
	good := []result.Series{series(result.Sidecar, 0, 16, 17, 30), series(result.ClientGo, 0, 500, 600, 700)}
	floor := Bound{Figure: "handover/total", Limit: catalog.Limit{Text: "p50", Share: .5, Factor: 5, Against: result.Floor, Beside: "handover/floor"}}
	least := func(v float64) result.Series {
		return result.Series{Figure: "handover/floor", Subject: result.Floor, Unit: "ms", Values: []float64{v}}
	}
	for name, tc := range map[string]struct {
		bound Bound
		run   []result.Series
		want  string // "" for green
	}{
		"a ratio within its bound":           {ratio, good, ""},
		"a budget that is kept":              {budget, good, ""},
		"a ratio beyond its bound":           {ratio, []result.Series{series(result.Sidecar, 0, 61, 61, 61), good[1]}, "61, at most 60"},
		"a budget that is not kept":          {budget, []result.Series{series(result.Sidecar, 0, 1, 1, 51)}, "51, at most 50"},
		"too few samples of ours":            {ratio, []result.Series{series(result.Sidecar, 0, 1, 2), good[1]}, "lease-sidecar has 2 samples, want 3 or more"},
		"too few samples of client-go's":     {ratio, []result.Series{good[0], series(result.ClientGo, 0, 500)}, "client-go has 1 samples, want 3 or more"},
		"another figure, within":             {floor, []result.Series{good[0], least(7)}, ""},
		"another figure, beyond":             {floor, []result.Series{good[0], least(3)}, "17, at most 15"},
		"another figure, missing":            {floor, good, "floor was not measured"},
		"a missing figure":                   {ratio, nil, "lease-sidecar was not measured"},
		"a figure without values":            {budget, []result.Series{series(result.Sidecar, 0)}, "lease-sidecar was not measured"},
		"a missing subject":                  {ratio, good[:1], "client-go was not measured"},
		"each place of a sweep within":       {sweep, []result.Series{fleet(3, .33), fleet(10, .34)}, ""},
		"one place of a sweep beyond":        {sweep, []result.Series{fleet(3, .33), fleet(10, .5)}, "requests/fleet at 10: max: 0.5, at most 0.4"},
		"a sweep that was not measured":      {sweep, nil, "lease-sidecar was not measured"},
		"a figure that the catalog has not":  {budget, append(slices.Clone(good), result.Series{Figure: "new", Subject: result.Floor}), "figure new is not in the catalog"},
		"a figure that has become of a unit": {budget, []result.Series{{Figure: "handover/total", Subject: result.Sidecar, Unit: "s", Values: []float64{1, 1, 1}}}, `measured in "s", and in "ms"`},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			err := Check(result.Run{Series: tc.run}, []Bound{tc.bound}, &out)
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("red: %v\n%s", err, out.String())
			case tc.want == "":
			case err == nil:
				t.Errorf("green, want %q\n%s", tc.want, out.String())
			case !strings.Contains(out.String()+err.Error(), tc.want):
				t.Errorf("%v\n%s, want %q", err, out.String(), tc.want)
			}
		})
	}
}

// TestBoundsAreOfFigures: each bound limits a figure and subjects that the catalog has, and says why. Nothing passes without results.
func TestBoundsAreOfFigures(t *testing.T) {
	all := All()
	for _, b := range all {
		f, ok := catalog.Find(b.Figure)
		if !ok {
			t.Errorf("%s is no figure of the catalog", b.Figure)
			continue
		}
		beside := f
		if b.Beside != "" {
			if beside, ok = catalog.Find(b.Beside); !ok {
				t.Errorf("%s is no figure of the catalog", b.Beside)
			}
		}
		if b.Of != "" && !slices.Contains(f.Subjects(), b.Of) || b.Against != "" && !slices.Contains(beside.Subjects(), b.Against) {
			t.Errorf("%s: by the catalog %q or %q is not measured", b.Figure, b.Of, b.Against)
		}
		if b.Why == "" || b.Text == "" {
			t.Errorf("%s: a bound says what it is, and why", b.Figure)
		}
		if b.Share == 0 {
			t.Errorf("%s: the bound is of the least value, which no regression moves", b.Figure)
		}
		if err := Check(result.Run{}, []Bound{b}, io.Discard); err == nil {
			t.Errorf("%s: green without results", b.Figure)
		}
	}
	if len(all) < 5 {
		t.Errorf("%d bounds", len(all))
	}
}
