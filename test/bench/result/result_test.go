package result

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestRoundTrip: what two programs append to one file is read in order.
func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.json")
	first := Series{Figure: "handover/total", Subject: Sidecar, Unit: "ms", Values: []float64{3, 1, 2}}
	second := Series{Figure: "requests", Subject: ClientGo, Unit: "1/s", At: 10, Values: []float64{.5}, Note: "of ten"}
	for _, s := range []Series{first, second} {
		if err := Append(path, s); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := []Series{first, second}; !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, want %+v", got, want)
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
		`{"figure": "a", "subject": "b", "values": [1]} {`: "series 2",
		`{"subject": "b"}`: "series 1: no figure",
		`{"figure": "a", "subject": "b", "colour": 1}`: "unknown field",
	} {
		if _, err := decode(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", text, err, want)
		}
	}
}
