package bootclock

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestAddSaturates(t *testing.T) {
	const last, first = Instant(math.MaxInt64), Instant(math.MinInt64)
	for _, tc := range []struct {
		name string
		i    Instant
		d    time.Duration
		want Instant
	}{
		{"forth", 5, 3, 8},
		{"back", 5, -3, 2},
		{"nothing", 5, 0, 5},
		{"past the end", last - 1, 5, last},
		{"past the beginning", first + 1, -5, first},
		{"the longest", 1, math.MaxInt64, last},
	} {
		if got := tc.i.Add(tc.d); got != tc.want {
			t.Errorf("%s: got %d; want %d", tc.name, got, tc.want)
		}
	}
}

func TestParse(t *testing.T) {
	for _, s := range []string{"", "-1", "1.5", "1e9", " 1", "0x10", "9223372036854775808", "now"} {
		if got, err := Parse(s); err == nil {
			t.Errorf("Parse(%q) took it as %d", s, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		want := Instant(rapid.Int64Min(0).Draw(t, "ns"))
		if got, err := Parse(want.String()); err != nil || got != want {
			t.Fatalf("%s: got %d, %v", want, got, err)
		}
	})
}
